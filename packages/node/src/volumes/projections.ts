import { NotFound, Unsupported } from "@boxship/base";
import { fieldOf, type PodFacts, resourceOf } from "../environment/downward.ts";
import { type DataResource, dataOf, type ReferencedObjects } from "../environment/referenced-objects.ts";
import type { DownwardItem, KeyToPath, Pod, Projection, VolumeSpec } from "../types.ts";
import type { ProjectedFile } from "./atomic-directory.ts";

/** A service account's token for one pod. */
export type TokenSource = (
  pod: Pod,
  request: { readonly audience: string | undefined; readonly seconds: number },
) => Promise<string>;

export interface ProjectionSources {
  readonly objects: Pick<ReferencedObjects, "get">;
  readonly facts: PodFacts;
  readonly token: TokenSource;
}

const DEFAULT_MODE = 0o644;
const DEFAULT_TOKEN_SECONDS = 3600;

/** The files of a volume that is made of other objects; undefined for any other volume. @throws NotFound, Unsupported */
export async function projectedFiles(
  pod: Pod,
  volume: VolumeSpec,
  sources: ProjectionSources,
): Promise<ReadonlyMap<string, ProjectedFile> | undefined> {
  const { configMap, secret, downwardAPI, projected } = volume;
  if (configMap !== undefined) return collect(pod, [{ configMap }], configMap.defaultMode, sources);
  if (secret !== undefined) {
    const { secretName, defaultMode, ...rest } = secret;
    const source = { ...rest, ...(secretName === undefined ? {} : { name: secretName }) };
    return collect(pod, [{ secret: source }], defaultMode, sources);
  }
  if (downwardAPI !== undefined) return collect(pod, [{ downwardAPI }], downwardAPI.defaultMode, sources);
  if (projected !== undefined) return collect(pod, projected.sources ?? [], projected.defaultMode, sources);
  return undefined;
}

async function collect(
  pod: Pod,
  projections: readonly Projection[],
  mode = DEFAULT_MODE,
  sources: ProjectionSources,
): Promise<ReadonlyMap<string, ProjectedFile>> {
  const files = new Map<string, ProjectedFile>();
  for (const { configMap, secret, downwardAPI, serviceAccountToken, ...other } of projections) {
    const data = configMap ?? secret;
    if (data !== undefined) {
      const resource = configMap === undefined ? "secrets" : "configmaps";
      await addData(files, resource, { pod, source: data, mode, sources });
    } else if (downwardAPI !== undefined) {
      for (const item of downwardAPI.items ?? []) {
        files.set(item.path, { data: Buffer.from(downward(pod, item, sources.facts)), mode: item.mode ?? mode });
      }
    } else if (serviceAccountToken !== undefined) {
      const { path, audience, expirationSeconds: seconds = DEFAULT_TOKEN_SECONDS } = serviceAccountToken;
      files.set(path, { data: Buffer.from(await sources.token(pod, { audience, seconds })), mode });
    } else throw new Unsupported(`projected source ${Object.keys(other).join(", ")} is not supported`);
  }
  return files;
}

function downward(pod: Pod, { fieldRef, resourceFieldRef }: DownwardItem, facts: PodFacts): string {
  if (fieldRef !== undefined) return fieldOf(pod, fieldRef.fieldPath, facts);
  return resourceFieldRef === undefined ? "" : resourceOf(pod, undefined, resourceFieldRef, facts);
}

interface DataPart {
  readonly pod: Pod;
  readonly source: { readonly name?: string; readonly items?: readonly KeyToPath[]; readonly optional?: boolean };
  readonly mode: number;
  readonly sources: ProjectionSources;
}

async function addData(
  files: Map<string, ProjectedFile>,
  resource: DataResource,
  { pod, source, mode, sources }: DataPart,
): Promise<void> {
  const { namespace = "", uid = "" } = pod.metadata;
  const { name = "", items, optional = false } = source;
  const kind = resource === "secrets" ? "secret" : "configmap";
  const object = await sources.objects.get(resource, namespace, name, uid);
  if (object === undefined) {
    if (optional) return;
    throw new NotFound(`${kind} "${name}" not found`);
  }
  const data = dataOf(resource, object);
  const wanted: readonly KeyToPath[] = items ?? [...data.keys()].map((key) => ({ key, path: key }));
  for (const { key, path, mode: own = mode } of wanted) {
    const value = data.get(key);
    if (value !== undefined) files.set(path, { data: value, mode: own });
    else if (!optional) throw new NotFound(`references non-existent ${kind} key: ${key}`);
  }
}
