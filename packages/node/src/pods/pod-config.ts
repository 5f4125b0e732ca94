import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { errorMessage, InvalidArgument } from "@boxship/base";
import { type DNSConfig, NamespaceMode, type PodSandboxConfig, PROTOCOLS } from "@boxship/cri";
import type { Init } from "@boxship/grpc";
import { containerResources } from "../containers/container-resources.ts";
import { LABEL } from "../labels.ts";
import { qosClass } from "../status/qos.ts";
import type { Pod } from "../types.ts";
import { podResources } from "./pod-group.ts";
import type { PodUsers } from "./user-ranges.ts";

export interface PodSettings {
  readonly logs: string;
  /** Where profiles of the type `Localhost` are. */
  readonly seccomp: string;
  /** The control group of all pods. */
  readonly cgroupParent: string;
  /** The machine's resolver configuration. */
  readonly resolvConf: string;
  readonly clusterDns?: ClusterDnsSettings;
  /** Most processes and threads of a pod; -1 for as many as the machine has. */
  readonly maxPids: number;
}

/** The cluster's name server. */
export interface ClusterDnsSettings {
  readonly address: string;
  /** The cluster's zone, e.g. `cluster.local`. */
  readonly domain: string;
}

/**
 * @param users of a user namespace of its own
 * @throws InvalidArgument naming the field
 */
export async function podConfig(
  pod: Pod,
  attempt: number,
  settings: PodSettings,
  users?: PodUsers,
): Promise<Init<PodSandboxConfig>> {
  const { metadata, spec } = pod;
  const { name = "", namespace = "", uid = "", labels = {}, annotations = {} } = metadata;
  return {
    metadata: { name, namespace, uid, attempt },
    ...(spec.hostNetwork === true ? {} : { hostname: sandboxHostname(pod, settings) }),
    logDirectory: logDirectory(pod, settings),
    ...(pod.spec.dnsConfig === undefined && basisOf(pod, settings) === "node"
      ? {}
      : { dnsConfig: await dnsConfig(pod, settings) }),
    portMappings: spec.hostNetwork === true ? [] : hostPorts(pod),
    labels: { ...labels, [LABEL.podName]: name, [LABEL.podNamespace]: namespace, [LABEL.podUid]: uid },
    annotations,
    linux: {
      cgroupParent: cgroupOf(pod, settings),
      resources: containerResources({ resources: podResources(pod) }),
      ...(spec.overhead === undefined
        ? {}
        : { overhead: containerResources({ resources: { requests: spec.overhead, limits: spec.overhead } }) }),
      sysctls: Object.fromEntries((spec.securityContext?.sysctls ?? []).map((one) => [one.name, one.value])),
      securityContext: { namespaceOptions: namespaceOptions(pod, users) },
    },
  };
}

export function logDirectory({ metadata }: Pod, { logs }: Pick<PodSettings, "logs">): string {
  return join(logs, `${metadata.namespace}_${metadata.name}_${metadata.uid}`);
}

/** @param users of a user namespace of its own */
export function namespaceOptions({ spec }: Pod, users: PodUsers | undefined) {
  return {
    ...(users === undefined ? {} : { usernsOptions: { mode: NamespaceMode.Pod, ...users } }),
    network: spec.hostNetwork === true ? NamespaceMode.Node : NamespaceMode.Pod,
    ipc: spec.hostIPC === true ? NamespaceMode.Node : NamespaceMode.Pod,
    pid: processMode(spec),
  };
}

function processMode({ hostPID, shareProcessNamespace }: Pod["spec"]): number {
  if (hostPID === true) return NamespaceMode.Node;
  return shareProcessNamespace === true ? NamespaceMode.Pod : NamespaceMode.Container;
}

const MOST_NAME = 63;

/** Of a host name in the kernel. */
const MOST_FULL_NAME = 64;

/** @throws InvalidArgument for a full name that is too long for the kernel */
function sandboxHostname(pod: Pod, settings: Pick<PodSettings, "clusterDns">): string {
  const full = fullNameOf(pod, settings);
  if (pod.spec.setHostnameAsFQDN !== true || full === undefined) return hostnameOf(pod);
  if (full.length <= MOST_FULL_NAME) return full;
  const most = `(${MOST_FULL_NAME} is the max, ${full.length} characters requested)`;
  throw new InvalidArgument(
    `Failed to construct FQDN from Pod hostname and cluster domain, FQDN ${full} is too long ${most}.`,
  );
}

/** The name by which others find a pod with a subdomain, of a headless service of that name; undefined without one. */
export function fullNameOf(pod: Pod, { clusterDns }: Pick<PodSettings, "clusterDns">): string | undefined {
  const { subdomain = "" } = pod.spec;
  if (subdomain === "" || clusterDns === undefined) return undefined;
  return `${hostnameOf(pod)}.${subdomain}.${pod.metadata.namespace}.svc.${clusterDns.domain}`;
}

export function hostnameOf({ metadata, spec }: Pod): string {
  return (spec.hostname ?? metadata.name ?? "").slice(0, MOST_NAME).replace(/[-.]+$/, "");
}

/** A group for each pod, below one for its class. */
export function cgroupOf(pod: Pod, { cgroupParent }: Pick<PodSettings, "cgroupParent">): string {
  const qos = qosClass(pod);
  const parent = qos === "Guaranteed" ? cgroupParent : join(cgroupParent, qos.toLowerCase());
  return join(parent, `pod${pod.metadata.uid}`);
}

function hostPorts({ spec }: Pod) {
  return spec.containers.flatMap(({ ports = [] }) =>
    ports
      .filter(({ hostPort = 0 }) => hostPort > 0)
      .map(({ containerPort, hostPort, hostIP, protocol = "TCP" }) => ({
        containerPort,
        hostPort,
        hostIp: hostIP,
        protocol: (PROTOCOLS as readonly string[]).indexOf(protocol.toLowerCase()),
      })),
  );
}

type DnsBasis = "node" | "cluster" | "nothing";

/** What `dnsConfig` is put on. Pods on the machine's network have its names unless they ask for the cluster's. */
function basisOf({ spec }: Pod, { clusterDns }: Pick<PodSettings, "clusterDns">): DnsBasis {
  const { dnsPolicy = "ClusterFirst", hostNetwork = false } = spec;
  if (dnsPolicy === "None") return "nothing";
  const asks = dnsPolicy === "ClusterFirstWithHostNet" || (dnsPolicy === "ClusterFirst" && !hostNetwork);
  return asks && clusterDns !== undefined ? "cluster" : "node";
}

/** Who says nothing of his own and has the node's basis gets what the engine gives. */
async function dnsConfig(pod: Pod, settings: PodSettings): Promise<Init<DNSConfig>> {
  const { nameservers = [], searches = [], options = [] } = pod.spec.dnsConfig ?? {};
  const base = await basicDns(pod, settings);
  const named = options.map(({ name, value }) => (value === undefined ? name : `${name}:${value}`));
  const keyOf = (option: string) => option.split(":", 1)[0];
  const kept = base.options.filter((option) => !named.some((own) => keyOf(own) === keyOf(option)));
  return {
    servers: [...new Set([...base.servers, ...nameservers])].slice(0, 3),
    searches: [...new Set([...base.searches, ...searches])].slice(0, 32),
    options: [...kept, ...named],
  };
}

async function basicDns(pod: Pod, settings: PodSettings) {
  const { resolvConf, clusterDns } = settings;
  const basis = basisOf(pod, settings);
  if (basis === "nothing") return { servers: [], searches: [], options: [] };
  const node = await nodeDns(resolvConf);
  if (basis === "node" || clusterDns === undefined) return node;
  const { address, domain } = clusterDns;
  const own = [`${pod.metadata.namespace}.svc.${domain}`, `svc.${domain}`, domain];
  return { servers: [address], searches: [...own, ...node.searches], options: ["ndots:5"] };
}

async function nodeDns(path: string) {
  const servers: string[] = [];
  const options: string[] = [];
  let searches: readonly string[] = [];
  const text = await readFile(path, "utf8").catch((cause: unknown) => {
    throw new InvalidArgument(`${path} cannot be read: ${errorMessage(cause)}`, { cause });
  });
  for (const line of text.split("\n")) {
    const [keyword, ...values] = line.trim().split(/\s+/);
    if (keyword === "nameserver" && values[0]?.startsWith("127.") === false) servers.push(values[0]);
    if (keyword === "search") searches = values;
    if (keyword === "options") options.push(...values);
  }
  return { servers, searches, options };
}
