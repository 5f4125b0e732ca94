import { type KubeObject, listAt, textAt } from "@boxship/api";
import { NotFound, Unsupported } from "@boxship/base";
import type { ContainerSpec, EnvVar, Pod } from "../types.ts";
import { fieldOf, type PodFacts, resourceOf } from "./downward.ts";
import { type DataResource, dataOf, type ReferencedObjects } from "./referenced-objects.ts";

export interface EnvSources {
  readonly objects: Pick<ReferencedObjects, "get">;
  /** All that the node knows of. */
  readonly services: Iterable<KubeObject>;
  readonly facts: PodFacts;
}

/**
 * The environment of a container: services, then whole maps, then what is named, which wins and may use what came before.
 *
 * @throws NotFound for a map or key that is not optional, Unsupported
 */
export async function environment(
  pod: Pod,
  container: ContainerSpec,
  sources: EnvSources,
): Promise<ReadonlyMap<string, string>> {
  const env = new Map(serviceVariables(pod, sources.services));
  for (const { prefix = "", configMapRef, secretRef } of container.envFrom ?? []) {
    const ref = configMapRef ?? secretRef;
    if (ref === undefined) continue;
    const resource = configMapRef === undefined ? "secrets" : "configmaps";
    const data = await read(sources, resource, pod, ref);
    for (const [key, value] of data ?? []) env.set(`${prefix}${key}`, value.toString("utf8"));
  }
  for (const variable of container.env ?? []) {
    const value = await valueOf(pod, container, variable, env, sources);
    if (value !== undefined) env.set(variable.name, value);
  }
  return env;
}

async function valueOf(
  pod: Pod,
  container: ContainerSpec,
  { name, value, valueFrom }: EnvVar,
  env: ReadonlyMap<string, string>,
  sources: EnvSources,
): Promise<string | undefined> {
  if (valueFrom === undefined) return expand(value ?? "", env);
  const { fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef } = valueFrom;
  if (fieldRef !== undefined) return fieldOf(pod, fieldRef.fieldPath, sources.facts);
  if (resourceFieldRef !== undefined) return resourceOf(pod, container, resourceFieldRef, sources.facts);
  const ref = configMapKeyRef ?? secretKeyRef;
  if (ref === undefined) throw new Unsupported(`the source of variable ${name} is not supported`);
  const resource = configMapKeyRef === undefined ? "secrets" : "configmaps";
  const found = (await read(sources, resource, pod, ref))?.get(ref.key);
  if (found !== undefined) return found.toString("utf8");
  if (ref.optional === true) return undefined;
  throw new NotFound(`couldn't find key ${ref.key} in ${word(resource)} ${pod.metadata.namespace}/${ref.name ?? ""}`);
}

async function read(
  { objects }: EnvSources,
  resource: DataResource,
  { metadata: { namespace = "", uid = "" } }: Pod,
  { name = "", optional }: { name?: string; optional?: boolean },
): Promise<ReadonlyMap<string, Buffer> | undefined> {
  const found = await objects.get(resource, namespace, name, uid);
  if (found !== undefined) return dataOf(resource, found);
  if (optional === true) return undefined;
  throw new NotFound(`${word(resource).toLowerCase()} "${name}" not found`);
}

const word = (resource: DataResource): string => (resource === "secrets" ? "Secret" : "ConfigMap");

/** Puts `$(NAME)` in; a name that nobody knows stays as it is, `$$` is a dollar. */
export function expand(text: string, env: ReadonlyMap<string, string>): string {
  return text.replaceAll(/\$(\$|\(([^()]+)\))/g, (whole, what: string, name: string | undefined) =>
    what === "$" ? "$" : (env.get(name ?? "") ?? whole),
  );
}

/** Variables of services: those of the pod's namespace, where it wants them, and the API's. */
function* serviceVariables(pod: Pod, services: Iterable<KubeObject>): Generator<readonly [string, string]> {
  for (const service of services) {
    const { name = "", namespace = "" } = service.metadata;
    const isApi = namespace === "default" && name === "kubernetes";
    if (!isApi && (namespace !== pod.metadata.namespace || pod.spec.enableServiceLinks === false)) continue;
    const address = textAt(service, "spec", "clusterIP");
    if (address === "" || address === "None") continue;
    yield* variablesOf(name.toUpperCase().replaceAll("-", "_"), address, listAt(service, "spec", "ports") as Port[]);
  }
}

type Port = { readonly name?: string; readonly port: number; readonly protocol?: string };

function* variablesOf(prefix: string, address: string, ports: readonly Port[]): Generator<readonly [string, string]> {
  const [first] = ports;
  if (first === undefined) return;
  const url = ({ port, protocol = "TCP" }: Port) => `${protocol.toLowerCase()}://${address}:${port}`;
  yield [`${prefix}_SERVICE_HOST`, address];
  yield [`${prefix}_SERVICE_PORT`, String(first.port)];
  for (const { name, port } of ports) {
    if (name) yield [`${prefix}_SERVICE_PORT_${name.toUpperCase().replaceAll("-", "_")}`, String(port)];
  }
  yield [`${prefix}_PORT`, url(first)];
  for (const one of ports) {
    const { protocol = "TCP", port } = one;
    const own = `${prefix}_PORT_${port}_${protocol}`;
    yield [own, url(one)];
    yield [`${own}_PROTO`, protocol.toLowerCase()];
    yield [`${own}_PORT`, String(port)];
    yield [`${own}_ADDR`, address];
  }
}
