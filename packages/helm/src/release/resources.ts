import { isObject, type Json, type JsonObject, type KubeObject, listAt, textAt } from "@boxship/api";
import { loadYaml } from "@boxship/api/yaml";
import { FailedPrecondition, InvalidArgument } from "@boxship/base/errors";
import {
  createObject,
  deleteObject,
  findObject,
  isNotFound,
  type ObjectPlace,
  patchObject,
  patchSchema,
  replaceObject,
  type Session,
  threeWayPatch,
  type WriteOptions,
} from "@boxship/kubectl/cluster";
import { sortByKind } from "../manifest/kind-order.ts";
import { splitManifests } from "../manifest/manifest.ts";

/** An object of a release, and where it is. */
export interface Resource extends ObjectPlace {
  readonly kind: string;
  readonly object: KubeObject;
}

export interface Owner {
  readonly name: string;
  readonly namespace: string;
}

const MANAGER = "helm";
const [RELEASE, NAMESPACE, MANAGED_BY] = [
  "meta.helm.sh/release-name",
  "meta.helm.sh/release-namespace",
  "app.kubernetes.io/managed-by",
];

const keyOf = ({ mapping, namespace, name }: ObjectPlace): string =>
  `${mapping.group}/${mapping.kind}/${namespace}/${name}`;
const shown = ({ mapping, namespace, name }: ObjectPlace): string =>
  `${mapping.kind} ${JSON.stringify(name)}${namespace === "" ? "" : ` in namespace ${JSON.stringify(namespace)}`}`;

/** Objects of a release's text with Helm's marks on them. @param missing told of kinds that the server has not */
export async function resourcesOf(
  session: Session,
  manifest: string,
  owner: Owner,
  missing?: (kind: string) => void,
): Promise<readonly Resource[]> {
  const mapper = await session.mapper();
  const resources: Resource[] = [];
  for (const text of splitManifests(manifest)) {
    const value = loadYaml(text);
    if (value === null) continue;
    if (!isObject(value)) throw new InvalidArgument("a manifest of the release is no object");
    for (const object of itemsOf(value)) {
      const [apiVersion, kind] = [textAt(object, "apiVersion"), textAt(object, "kind")];
      const mapping = mapper.byKind(apiVersion, kind);
      const name = textAt(object, "metadata", "name");
      if (mapping === undefined) {
        if (missing === undefined) {
          throw new FailedPrecondition(
            `resource mapping not found for name: ${JSON.stringify(name)}: no matches for kind ${JSON.stringify(kind)} in version ${JSON.stringify(apiVersion)}`,
            { remedy: "install the definitions of such objects first" },
          );
        }
        missing(`${apiVersion} ${kind} ${name}`);
        continue;
      }
      const namespace = mapping.namespaced ? textAt(object, "metadata", "namespace") || owner.namespace : "";
      resources.push({ mapping, namespace, name, kind, object: marked(object, owner, namespace) });
    }
  }
  return resources;
}

const itemsOf = (value: JsonObject): readonly JsonObject[] =>
  textAt(value, "kind").endsWith("List") && Array.isArray(value["items"]) ? value["items"].filter(isObject) : [value];

function marked(object: JsonObject, owner: Owner, namespace: string): KubeObject {
  const metadata = isObject(object["metadata"]) ? object["metadata"] : {};
  const labels = isObject(metadata["labels"]) ? metadata["labels"] : {};
  const annotations = isObject(metadata["annotations"]) ? metadata["annotations"] : {};
  return {
    ...object,
    metadata: {
      ...metadata,
      ...(namespace !== "" && { namespace }),
      labels: { ...labels, [MANAGED_BY]: "Helm" },
      annotations: { ...annotations, [RELEASE]: owner.name, [NAMESPACE]: owner.namespace },
    },
  } as unknown as KubeObject;
}

/** What is wrong with an object's marks; undefined where the release has it. */
function foreignness(object: KubeObject, owner: Owner): string | undefined {
  const wrong: string[] = [];
  const check = (kind: "labels" | "annotations", key: string, wanted: string): void => {
    const has = textAt(object, "metadata", kind, key);
    const what = kind === "labels" ? "label" : "annotation";
    if (has === "") wrong.push(`missing key ${JSON.stringify(key)}: must be set to ${JSON.stringify(wanted)}`);
    else if (has !== wanted) {
      wrong.push(
        `${what} validation error: key ${JSON.stringify(key)} must equal ${JSON.stringify(wanted)}: current value is ${JSON.stringify(has)}`,
      );
    }
  };
  check("labels", MANAGED_BY, "Helm");
  check("annotations", RELEASE, owner.name);
  check("annotations", NAMESPACE, owner.namespace);
  return wrong.length === 0 ? undefined : wrong.join("; ");
}

export interface ApplyOptions {
  /** Whether objects that are somebody else's are taken. */
  readonly takeOwnership: boolean;
  /** Whether the server merges. */
  readonly serverSide: boolean;
  /** Whether fields of other managers are taken. */
  readonly forceConflicts: boolean;
  /** Whether objects are replaced, with what others have set in them, instead of changed. @default false */
  readonly forceReplace?: boolean;
  /** Whether fields that the server does not know are refused, instead of left out. */
  readonly validate: boolean;
}

/**
 * Sees that nothing is somebody else's.
 *
 * @param known objects of earlier revisions, which are the release's whatever their marks
 * @throws FailedPrecondition that names the first that is
 */
export async function checkOwnership(
  session: Session,
  wanted: readonly Resource[],
  known: readonly Resource[],
  owner: Owner,
): Promise<void> {
  const own = new Set(known.map(keyOf));
  for (const one of wanted) {
    if (own.has(keyOf(one))) continue;
    const there = await findObject(session, one);
    const problem = there === undefined ? undefined : foreignness(there, owner);
    if (problem !== undefined) {
      throw new FailedPrecondition(
        `${shown(one)} exists and cannot be imported into the current release: invalid ownership metadata; ${problem}`,
        { remedy: "use --take-ownership to take it into the release" },
      );
    }
  }
}

/**
 * Brings objects to what is wanted; what others have set stays.
 *
 * @param before the same of the revision before
 * @param created told of each that was not there
 */
export async function applyResources(
  session: Session,
  wanted: readonly Resource[],
  before: readonly Resource[],
  options: ApplyOptions,
  created: (one: Resource) => void = () => undefined,
): Promise<void> {
  const originals = new Map(before.map((one) => [keyOf(one), one]));
  const how = { fieldManager: MANAGER, fieldValidation: options.validate ? "Strict" : "Ignore" };
  for (const one of wanted) {
    session.io.signal?.throwIfAborted();
    const there = await findObject(session, one);
    if (options.serverSide) {
      if (there !== undefined) await takeOver(session, one, there);
      await patchObject(session, one, "apply", JSON.stringify(one.object), { ...how, force: options.forceConflicts });
    } else if (there === undefined) await createObject(session, one, one.object, how);
    else if (options.forceReplace === true) await replaceOne(session, one, there, how);
    else await patchOne(session, one, originals.get(keyOf(one))?.object, there, how);
    if (there === undefined) created(one);
  }
}

/** What the client had set is the server's side's from now on: else it would conflict with itself. */
async function takeOver(session: Session, one: Resource, there: KubeObject): Promise<void> {
  const entries = listAt(there, "metadata", "managedFields").filter(isObject);
  const isOurs = (entry: JsonObject, operation: string): boolean =>
    entry["manager"] === MANAGER && entry["operation"] === operation && !entry["subresource"];
  const old = entries.find((entry) => isOurs(entry, "Update"));
  if (old === undefined) return;
  const own = entries.find((entry) => isOurs(entry, "Apply"));
  const fieldsV1 = fieldUnion(own?.["fieldsV1"] ?? {}, old["fieldsV1"] ?? {});
  const managedFields = [
    { ...old, operation: "Apply", fieldsV1 },
    ...entries.filter((entry) => entry !== old && entry !== own),
  ];
  const { resourceVersion = "" } = there.metadata;
  await patchObject(session, one, "merge", { metadata: { resourceVersion, managedFields } });
}

function fieldUnion(left: Json, right: Json): Json {
  if (!isObject(left) || !isObject(right)) return left;
  const result: JsonObject = { ...left };
  for (const [field, value] of Object.entries(right)) {
    const below = result[field];
    result[field] = below === undefined ? (value ?? {}) : fieldUnion(below, value ?? {});
  }
  return result;
}

async function replaceOne(session: Session, one: Resource, there: KubeObject, how: WriteOptions): Promise<void> {
  const { resourceVersion = "" } = there.metadata;
  const object = { ...one.object, metadata: { ...one.object.metadata, resourceVersion } };
  await replaceObject(session, one, object, how);
}

async function patchOne(
  session: Session,
  one: Resource,
  original: KubeObject | undefined,
  there: KubeObject,
  how: WriteOptions,
): Promise<void> {
  const schema = patchSchema(one.mapping);
  const json = (object: KubeObject | undefined) => (object ?? {}) as unknown as JsonObject;
  const patch = threeWayPatch(schema, json(original), json(one.object), json(there));
  if (Object.keys(patch).length === 0) return;
  await patchObject(session, one, schema === undefined ? "merge" : "strategic", patch, how);
}

const isKept = ({ object }: Resource): boolean =>
  textAt(object, "metadata", "annotations", "helm.sh/resource-policy").trim().toLowerCase() === "keep";

/** What is among the first and not among the others. */
export function without(resources: readonly Resource[], others: readonly Resource[]): readonly Resource[] {
  const left = new Set(others.map(keyOf));
  return resources.filter((one) => !left.has(keyOf(one)));
}

/** Deletes objects but those that are to be kept. @returns what was deleted, and what was kept */
export async function deleteResources(
  session: Session,
  resources: readonly Resource[],
  propagationPolicy = "Background",
): Promise<{ readonly deleted: readonly Resource[]; readonly kept: readonly Resource[] }> {
  const kept = resources.filter(isKept);
  const deleted = sortByKind(
    resources.filter((one) => !isKept(one)),
    "uninstall",
  );
  for (const one of deleted) {
    await deleteObject(session, one, { propagationPolicy }).catch((error: unknown) => {
      if (!isNotFound(error)) throw error;
    });
  }
  return { deleted, kept };
}
