import { BlockList, isIP } from "node:net";
import { badRequest, failure, type Json, type KubeObject, listAt, notFound, textAt, valueAt } from "@boxship/api";
import type { ResourceRequest, ServerContext } from "../../server-context.ts";
import { allObjects, readObject } from "../../storage/read-objects.ts";

/** Whom a request is passed on to. */
export interface ProxyTarget {
  /** By TLS, with whatever certificate. */
  readonly isTls: boolean;
  readonly address: string;
  readonly port: number;
}

/** `NAME`, `NAME:PORT` or `SCHEME:NAME:PORT`. */
const WORDS = /^(?:(?:(?<scheme>https?|):)?(?<name>[^:]+):(?<port>[^:]*)|(?<alone>[^:]+))$/;

/**
 * The pod, or the one of a service's, that a request is for. Nobody is reached by it who is no pod.
 *
 * @throws BadRequest, NotFound, ServiceUnavailable where nobody is behind the service
 */
export async function proxyTarget(context: ServerContext, { kind, info }: ResourceRequest): Promise<ProxyTarget> {
  const { namespace, name: id } = info;
  const found = WORDS.exec(id)?.groups;
  if (found === undefined) throw badRequest(`invalid ${kind.kind.toLowerCase()} request ${JSON.stringify(id)}`);
  const { scheme, port = "" } = found;
  const name = found["name"] ?? found["alone"] ?? "";
  const object = await readObject(context, "", kind.resource, { name, namespace });
  if (object === undefined) throw notFound(kind, name);
  const isTls = scheme === "https";
  if (kind.resource === "pods") return { isTls, ...podTarget(object, { id, port, usual: isTls ? 443 : 80 }) };
  return { isTls, ...(await serviceTarget(context, object, { id, port })) };
}

function podTarget(pod: KubeObject, { id, port, usual }: { id: string; port: string; usual: number }) {
  const [first] = listAt(pod, "spec", "containers").flatMap((container) => listAt(container, "ports"));
  const wanted = port === "" ? Number(valueAt(first, "containerPort") ?? usual) : Number(port);
  if (!/^\d*$/.test(port) || wanted < 1 || wanted > 65535) {
    throw badRequest(`invalid pod request ${JSON.stringify(id)}: a pod's port is a number from 1 to 65535`);
  }
  const [address] = addressesOf(pod);
  if (!isReachable(address)) throw badRequest("address not allowed");
  return { address, port: wanted };
}

const addressesOf = (pod: KubeObject): readonly string[] =>
  listAt(pod, "status", "podIPs").map((one) => textAt(one, "ip"));

async function serviceTarget(context: ServerContext, service: KubeObject, { id, port }: { id: string; port: string }) {
  const { name = "", namespace = "" } = service.metadata;
  const portName = portNameOf(service, port);
  const slices = (await allObjects(context, "discovery.k8s.io", "endpointslices")).filter(
    ({ metadata }) => metadata.namespace === namespace && metadata.labels?.["kubernetes.io/service-name"] === name,
  );
  const nobody = (about: string) =>
    failure("ServiceUnavailable", `no endpoints available for service ${JSON.stringify(about)}`);
  if (slices.every((slice) => listAt(slice, "endpoints").length === 0)) throw nobody(name);
  const pods = new Map<string, Promise<KubeObject | undefined>>();
  const podOf = (endpoint: Json): Promise<KubeObject | undefined> => {
    const [kind, pod, of] = ["kind", "name", "namespace"].map((field) => textAt(endpoint, "targetRef", field));
    if (kind !== "Pod" || !pod || of !== namespace) return Promise.resolve(undefined);
    const known = pods.get(pod) ?? readObject(context, "", "pods", { name: pod, namespace });
    pods.set(pod, known);
    return known;
  };
  for (const slice of fromAnywhere(slices)) {
    const match = listAt(slice, "ports").find((one) => textAt(one, "name") === portName);
    const at = Number(valueAt(match, "port") ?? 0);
    if (at === 0) continue;
    for (const endpoint of fromAnywhere(listAt(slice, "endpoints"))) {
      if (valueAt(endpoint, "conditions", "ready") === false) continue;
      const address = textAt(listAt(endpoint, "addresses")[0]);
      const pod = await podOf(endpoint);
      // An endpoint that is no pod's could be anything that this server reaches.
      if (pod !== undefined && addressesOf(pod).includes(address) && isReachable(address)) return { address, port: at };
    }
  }
  throw nobody(id);
}

/** The name of a service's port, of which the number may be given. */
function portNameOf(service: KubeObject, port: string): string {
  if (!/^[+-]?\d+$/.test(port)) return port;
  const own = listAt(service, "spec", "ports").find((one) => valueAt(one, "port") === Number(port));
  if (own !== undefined) return textAt(own, "name");
  const name = JSON.stringify(service.metadata.name);
  throw failure("ServiceUnavailable", `no service port ${Number(port)} found for service ${name}`);
}

/** All of them, from a random one on. */
function fromAnywhere<T>(all: readonly T[]): readonly T[] {
  const at = Math.floor(Math.random() * all.length);
  return [...all.slice(at), ...all.slice(0, at)];
}

/** What means this machine, a link or nobody in particular. */
const OTHERS = new BlockList();
for (const [network, length] of [
  ["0.0.0.0", 32],
  ["255.255.255.255", 32],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["224.0.0.0", 4],
] as const)
  OTHERS.addSubnet(network, length, "ipv4");
for (const [network, length] of [
  ["::", 128],
  ["::1", 128],
  ["fe80::", 10],
  ["ff00::", 8],
] as const)
  OTHERS.addSubnet(network, length, "ipv6");

/** Whether an address is one that a pod can have: a unicast address beyond its own link. */
export function isReachable(address: string | undefined): address is string {
  const family = isIP(address ?? "");
  return address !== undefined && family !== 0 && !OTHERS.check(address, family === 6 ? "ipv6" : "ipv4");
}
