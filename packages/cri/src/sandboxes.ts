import { hostname as ownHostname } from "node:os";
import { InvalidArgument, NotFound, Unsupported } from "@boxship/base";
import {
  canHaveUsers,
  containersOf,
  type Engine,
  type EngineContext,
  isIpcParameter,
  isPodHeld,
  type PodRecord,
  type RunPodRequest,
  removePod,
  runPod,
  stopPod,
} from "@boxship/engine";
import type { Init } from "@boxship/grpc";
import type { IdMaps, IdRange } from "@boxship/kernel";
import { containerStatus } from "./container-status.ts";
import type { CriHandlers } from "./contract.ts";
import { nanoseconds, type PodDoor, podDoor } from "./door-data.ts";
import { knownValue } from "./known-value.ts";
import type { IDMapping, LinuxPodSandboxConfig, PodSandboxConfig, UserNamespace } from "./messages/config.ts";
import type { PodSandboxFilter, PodSandboxStatus } from "./messages/status.ts";
import { NamespaceMode, PROTOCOLS, SandboxState } from "./messages/values.ts";

type SandboxHandlers = Pick<
  CriHandlers,
  | "runPodSandbox"
  | "stopPodSandbox"
  | "removePodSandbox"
  | "podSandboxStatus"
  | "listPodSandbox"
  | "updatePodSandboxResources"
>;

/** Pods: see {@link PodRecord}. */
export function sandboxHandlers({ parts }: Engine): SandboxHandlers {
  return {
    async runPodSandbox({ config, runtimeHandler }) {
      if (config?.metadata === undefined) throw new InvalidArgument("the pod's metadata is missing");
      requireRuntime(parts.runtime.info.runtimes, runtimeHandler);
      const door: PodDoor = { config, runtimeHandler };
      if (Buffer.byteLength(config.hostname) > MOST_HOSTNAME) {
        throw new InvalidArgument(`the pod's host name has more than ${MOST_HOSTNAME} characters`);
      }
      const request = podRequest(config, JSON.stringify(door));
      if (request.users !== undefined) checkUsers(parts, runtimeHandler);
      const { id } = await runPod(parts, request);
      return { podSandboxId: id };
    },
    async stopPodSandbox({ podSandboxId }) {
      await ifThere(() => stopPod(parts, podSandboxId));
      return {};
    },
    async removePodSandbox({ podSandboxId }) {
      await ifThere(() => removePod(parts, podSandboxId));
      return {};
    },
    async podSandboxStatus({ podSandboxId, verbose }) {
      const pod = parts.pods.resolve(podSandboxId);
      return {
        status: sandboxStatus(parts, pod),
        timestamp: nanoseconds(parts.clock.now()),
        containersStatuses: containersOf(parts, pod.id).map((record) => containerStatus(parts, record)),
        ...(verbose
          ? { info: { info: JSON.stringify({ ...pod, request: { ...pod.request, door: podDoor(pod) } }) } }
          : {}),
      };
    },
    // The groups are the agent's: what it made of them is noted, and told by the pod's status.
    async updatePodSandboxResources({ podSandboxId, overhead, resources }) {
      const { id } = parts.pods.resolve(podSandboxId);
      await parts.locks.run(`pod ${id}`, async () => {
        const pod = parts.pods.resolve(id);
        const door = podDoor(pod);
        const linux = { ...(door.config.linux as LinuxPodSandboxConfig), overhead, resources };
        const changed: PodDoor = { ...door, config: { ...door.config, linux } };
        await parts.pods.save({ ...pod, request: { ...pod.request, door: JSON.stringify(changed) } });
      });
      return {};
    },
    async listPodSandbox({ filter }) {
      const pods = parts.pods.all().filter((pod) => fits(parts, pod, filter));
      return { items: pods.sort((a, b) => b.created - a.created).map((pod) => item(parts, pod)) };
    },
  };
}

/** As the kernel has it. */
const MOST_HOSTNAME = 64;

/** What is gone already is what was asked for. */
export async function ifThere(task: () => Promise<unknown>): Promise<void> {
  try {
    await task();
  } catch (error) {
    if (!(error instanceof NotFound)) throw error;
  }
}

function requireRuntime(runtimes: readonly { readonly name: string; readonly usable: boolean }[], name: string): void {
  if (name === "" || runtimes.some((runtime) => runtime.name === name && runtime.usable)) return;
  throw new NotFound(`no runtime for "${name}" is configured`, { subject: { kind: "runtime", name } });
}

function checkUsers(parts: EngineContext, handler: string): void {
  if (canHaveUsers(parts, handler)) return;
  throw new Unsupported(`runtime "${handler}" cannot have pods in user namespaces of their own on this host`, {
    subject: { kind: "runtime", name: handler },
    remedy: "use runc, or crun 1.24 or later, and Linux 5.19 or later",
  });
}

/** Which namespace is whose, with the kubelet's defaults where nothing is said. @throws Unsupported */
export function namespaces(config: PodSandboxConfig): {
  readonly host: boolean;
  readonly ipcHost: boolean;
  readonly sharesProcesses: boolean;
  /** Of a user namespace of the pod's own. */
  readonly users: IdMaps | undefined;
} {
  const options = config.linux?.securityContext?.namespaceOptions;
  // Those of others are for containers: here the two that a pod chooses between, and for processes each container's own.
  const { Pod, Container, Node } = NamespaceMode;
  for (const field of ["network", "ipc"] as const)
    knownValue(`namespace_options.${field}`, options?.[field] ?? Pod, { Pod, Node });
  knownValue("namespace_options.pid", options?.pid ?? Pod, { Pod, Container, Node });
  return {
    users: usersOf(options?.usernsOptions),
    host: options?.network === NamespaceMode.Node,
    ipcHost: options?.ipc === NamespaceMode.Node,
    sharesProcesses: options?.pid === NamespaceMode.Pod,
  };
}

/** The ids of a user namespace, undefined for the machine's. @throws InvalidArgument, Unsupported */
export function usersOf(options: UserNamespace | undefined): IdMaps | undefined {
  if (options === undefined || options.mode === NamespaceMode.Node) return undefined;
  if (options.mode !== NamespaceMode.Pod) {
    throw new Unsupported(
      `mode ${options.mode} of user namespaces is not supported: only that of the pod and the node's`,
    );
  }
  return { uids: idRangesOf("uids", options.uids), gids: idRangesOf("gids", options.gids) };
}

function idRangesOf(field: string, mappings: readonly IDMapping[]): readonly IdRange[] {
  const [first, ...more] = mappings;
  if (first === undefined || more.length > 0 || first.containerId !== 0 || first.length < 1) {
    throw new InvalidArgument(
      `${field} of a pod's user namespace must be one range that begins at 0 in its containers`,
    );
  }
  return [{ inside: 0, outside: first.hostId, count: first.length }];
}

/** Those of the network; those of the IPC namespace are set by each of the pod's containers. @throws InvalidArgument, Unsupported */
function networkParameters(
  all: Readonly<Record<string, string>>,
  { host, ipcHost }: { readonly host: boolean; readonly ipcHost: boolean },
): Readonly<Record<string, string>> {
  const network = Object.entries(all).filter(([name]) => name.startsWith("net."));
  const others = Object.keys(all).filter((name) => !name.startsWith("net."));
  const unknown = others.find((name) => !isIpcParameter(name));
  if (unknown !== undefined)
    throw new Unsupported(`sysctl ${unknown} is not supported for a pod: only those of its network and its IPC`);
  if (host && network.length > 0) throw new InvalidArgument("a pod in the host's network cannot set its parameters");
  if (ipcHost && others.length > 0) throw new InvalidArgument("a pod with the host's IPC cannot set its parameters");
  return Object.fromEntries(network);
}

function podRequest(config: PodSandboxConfig, door: string): RunPodRequest {
  const { host, ipcHost, sharesProcesses, users } = namespaces(config);
  const { linux, dnsConfig, portMappings, metadata } = config;
  const sysctls = networkParameters(linux?.sysctls ?? {}, { host, ipcHost });
  const published = portMappings.filter(({ hostPort }) => hostPort > 0);
  return {
    hostname: config.hostname || (host ? ownHostname() : (metadata?.name ?? "")),
    network: host ? "host" : "pod",
    ipc: ipcHost ? "host" : "pod",
    ...(sharesProcesses ? { pid: "pod" } : {}),
    ...(users === undefined ? {} : { users }),
    ...(dnsConfig === undefined
      ? {}
      : { dns: { servers: dnsConfig.servers, search: dnsConfig.searches, options: dnsConfig.options } }),
    sysctls,
    ports: host
      ? []
      : published.map(({ protocol, containerPort, hostPort, hostIp }) => ({
          protocol: PROTOCOLS[knownValue("protocol", protocol, { tcp: 0, udp: 1, sctp: 2 }) as 0],
          containerPort,
          hostPort,
          ...(hostIp === "" ? {} : { hostIP: hostIp }),
        })),
    ...(host ? {} : { ...bandwidthOf(config.annotations), plugins: pluginFacts(config) }),
    ...(linux?.cgroupParent ? { cgroupParent: linux.cgroupParent } : {}),
    door,
  };
}

/** What CNI plugins of other engines are told of a pod, too, by the names that they know. */
function pluginFacts({ metadata, linux, dnsConfig, annotations }: PodSandboxConfig): RunPodRequest["plugins"] {
  const { servers = [], searches = [], options = [] } = dnsConfig ?? {};
  return {
    capabilities: {
      ...(linux?.cgroupParent ? { cgroupPath: linux.cgroupParent } : {}),
      ...(dnsConfig === undefined ? {} : { dns: { servers, searches, options } }),
      "io.kubernetes.cri.pod-annotations": annotations,
    },
    args: {
      K8S_POD_NAMESPACE: metadata?.namespace ?? "",
      K8S_POD_NAME: metadata?.name ?? "",
      K8S_POD_UID: metadata?.uid ?? "",
    },
  };
}

/** What annotations of a pod ask for, by the words that other engines know. @throws InvalidArgument */
function bandwidthOf(annotations: Readonly<Record<string, string>>): Pick<RunPodRequest, "bandwidth"> {
  const limit = (way: "ingress" | "egress") => {
    const text = annotations[`kubernetes.io/${way}-bandwidth`];
    return text === undefined ? {} : { [way]: bitsOf(way, text) };
  };
  const bandwidth = { ...limit("ingress"), ...limit("egress") };
  return Object.keys(bandwidth).length === 0 ? {} : { bandwidth };
}

const MULTIPLES: Readonly<Record<string, number>> = { "": 1, k: 1e3, M: 1e6, G: 1e9, T: 1e12, P: 1e15 };
const BINARY: Readonly<Record<string, number>> = { Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40, Pi: 2 ** 50 };
const LEAST_BITS = 1e3;
const MOST_BITS = 1e15;

/** A quantity of bits a second, such as `10M`. */
function bitsOf(way: string, text: string): number {
  const [, number = "", suffix = ""] = /^(\d+(?:\.\d+)?)(k|[MGTP]|[KMGTP]i)?$/.exec(text) ?? [];
  const bits = number === "" ? Number.NaN : Number(number) * (MULTIPLES[suffix] ?? BINARY[suffix] ?? Number.NaN);
  if (bits >= LEAST_BITS && bits <= MOST_BITS) return Math.round(bits);
  throw new InvalidArgument(`kubernetes.io/${way}-bandwidth: ${JSON.stringify(text)} is no rate between 1k and 1P`);
}

export function sandboxStatus(parts: EngineContext, pod: PodRecord): Init<PodSandboxStatus> {
  const { config, runtimeHandler } = podDoor(pod);
  const [ip = "", ...more] = pod.addresses;
  const options = config.linux?.securityContext?.namespaceOptions;
  return {
    id: pod.id,
    metadata: config.metadata,
    state: stateOf(parts, pod),
    createdAt: nanoseconds(pod.created),
    network: { ip, additionalIps: more.map((address) => ({ ip: address })) },
    linux: { namespaces: { options: options ?? { pid: NamespaceMode.Container } } },
    labels: config.labels,
    annotations: config.annotations,
    runtimeHandler,
  };
}

/** A pod whose first process somebody has killed can have no further containers. */
const stateOf = (parts: EngineContext, pod: PodRecord): number =>
  pod.state === "ready" && isPodHeld(parts, pod) ? SandboxState.Ready : SandboxState.NotReady;

function item(parts: EngineContext, pod: PodRecord) {
  const { config, runtimeHandler } = podDoor(pod);
  const { metadata, labels, annotations } = config;
  const createdAt = nanoseconds(pod.created);
  return { id: pod.id, metadata, state: stateOf(parts, pod), createdAt, labels, annotations, runtimeHandler };
}

function fits(parts: EngineContext, pod: PodRecord, filter: PodSandboxFilter | undefined): boolean {
  if (filter === undefined) return true;
  if (!pod.id.startsWith(filter.id)) return false;
  if (filter.state !== undefined && filter.state.state !== stateOf(parts, pod)) return false;
  return hasLabels(podDoor(pod).config.labels, filter.labelSelector);
}

export function hasLabels(labels: Readonly<Record<string, string>>, wanted: Readonly<Record<string, string>>): boolean {
  return Object.entries(wanted).every(([key, value]) => labels[key] === value);
}
