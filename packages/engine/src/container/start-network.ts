import { Conflict, FailedPrecondition, InvalidArgument, NotFound } from "@boxship/base";
import type {
  DnsSettings,
  EndpointLink,
  ExtraHost,
  PortBinding as NetworkPortBinding,
  PortMapping,
} from "@boxship/network";
import { currentRecord, type EngineContext } from "../context.ts";
import { podUsers } from "../pod/pod-users.ts";
import { remapOf } from "../remap/remap.ts";
import type { HostConfig } from "./config.ts";
import { networkModeOf } from "./network-mode.ts";
import { type WantedPort, wantedPorts } from "./port-bindings.ts";
import type { ContainerRecord, EndpointState, PublishedPort } from "./record.ts";
import { isAlive } from "./state.ts";

/** The network side of a container that is being started. */
export interface JoinedNetwork {
  /** The network namespace, or undefined for the host's. */
  readonly namespace: string | undefined;
  /** The user namespace that it belongs to, if that is not the machine's. */
  readonly ownedBy?: string;
  /** Files for /etc/resolv.conf, /etc/hosts and /etc/hostname. */
  readonly files: { readonly resolvConf: string; readonly hosts: string; readonly hostname: string };
  readonly endpoints: readonly EndpointState[];
  readonly ports: readonly PublishedPort[];
}

/** Files that every container gets, in its own directory. */
export function networkFiles(directory: string): JoinedNetwork["files"] {
  return {
    resolvConf: `${directory}/resolv.conf`,
    hosts: `${directory}/hosts`,
    hostname: `${directory}/hostname`,
  };
}

/** Makes the namespace, joins the networks and publishes the ports; `undo` takes all of it back. */
export async function joinNetworks(
  context: EngineContext,
  record: ContainerRecord,
  undo: AsyncDisposableStack,
): Promise<JoinedNetwork> {
  const { network } = context;
  const { id, effective, hostConfig } = record;
  const mode = networkModeOf(hostConfig);
  if (mode.kind === "container") return joinContainer(context, record, mode.ref);
  if (mode.kind === "pod") return joinPod(context, mode.id);
  const files = networkFiles(context.containers.directoryOf(id));
  if (mode.kind === "host") {
    const endpoints = record.endpoints.map(({ active: _active, ...endpoint }) => endpoint);
    return { namespace: undefined, files, endpoints, ports: [] };
  }
  const userNamespace = remapOf(context, hostConfig)?.path;
  const owned = userNamespace === undefined ? {} : { ownedBy: userNamespace };
  const sandbox = await network
    .createSandbox(id, {
      hostname: effective.hostname,
      domainname: effective.domainname,
      dns: dnsSettings(hostConfig),
      extraHosts: extraHosts(hostConfig),
      sysctls: networkSysctls(hostConfig.sysctls),
      ...(userNamespace === undefined ? {} : { userNamespace }),
    })
    .catch((error: unknown) => {
      // For a client of a start "not found" means the container.
      throw error instanceof NotFound ? new InvalidArgument(error.message, { cause: error }) : error;
    });
  undo.defer(() => network.removeSandbox(id));
  const endpoints: EndpointState[] = [];
  for (const endpoint of record.endpoints) endpoints.push(await connectEndpoint(context, record, endpoint));
  const ports = effective.networkDisabled === true ? [] : await publishPorts(context, record);
  return { namespace: sandbox.path, ...owned, files, endpoints, ports };
}

/** The resolver settings that the user gave. */
export function dnsSettings({ dns = [], dnsSearch = [], dnsOptions = [] }: HostConfig): DnsSettings {
  return { servers: dns, search: dnsSearch, options: dnsOptions };
}

/** `--add-host name:address` (or `name=address`), in parts. @throws InvalidArgument */
export function extraHosts(hostConfig: HostConfig): readonly ExtraHost[] {
  return (hostConfig.extraHosts ?? []).map((entry) => {
    const [, name, address] = /^([^:=]+)[:=]\[?(.+?)\]?$/.exec(entry) ?? [];
    if (name === undefined || address === undefined) {
      throw new InvalidArgument(`bad format for add-host: "${entry}"`, { subject: { kind: "host", name: entry } });
    }
    return { name, address };
  });
}

/** Sysctls of the network namespace; the rest is the runtime's. */
export function networkSysctls(all: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(all).filter(([key]) => key.startsWith("net.")));
}

async function joinContainer(context: EngineContext, record: ContainerRecord, ref: string): Promise<JoinedNetwork> {
  const other = context.containers.resolve(ref);
  if (other.id === record.id) throw new Conflict("cannot join own network");
  if (!isAlive(currentRecord(context, other.id).state)) {
    throw new Conflict(`cannot join network of a non running container: ${other.id}`, {
      subject: { kind: "container", name: other.name },
      remedy: `start it first: boxship start ${other.name}`,
    });
  }
  const files = networkFiles(context.containers.directoryOf(other.id));
  const { path, owner } = sharedNamespace(context, other);
  return { namespace: path, ...(owner === undefined ? {} : { ownedBy: owner }), files, endpoints: [], ports: [] };
}

function joinPod(context: EngineContext, ref: string): JoinedNetwork {
  const { pods, network } = context;
  const { id, state, request } = pods.resolve(ref);
  if (state !== "ready") {
    throw new FailedPrecondition(`pod ${id} is not ready`, { subject: { kind: "pod", name: id } });
  }
  const namespace = request.network === "host" ? undefined : network.getSandbox(id).path;
  const owner = podUsers(context, id)?.path;
  const owned = owner === undefined ? {} : { ownedBy: owner };
  return { namespace, ...owned, files: networkFiles(pods.directoryOf(id)), endpoints: [], ports: [] };
}

/** The namespace of a running container, which may itself be the host's or a third one's. */
function sharedNamespace(
  context: EngineContext,
  other: ContainerRecord,
): { readonly path: string | undefined; readonly owner: string | undefined } {
  const mode = networkModeOf(other.hostConfig);
  if (mode.kind === "host") return { path: undefined, owner: undefined };
  if (mode.kind === "pod") {
    const { namespace: path, ownedBy: owner } = joinPod(context, mode.id);
    return { path, owner };
  }
  if (mode.kind === "container") return sharedNamespace(context, context.containers.resolve(mode.ref));
  return { path: context.network.getSandbox(other.id).path, owner: remapOf(context, other.hostConfig)?.path };
}

/** Joins one network; what the network gave comes back in the endpoint. */
export async function connectEndpoint(
  context: EngineContext,
  record: ContainerRecord,
  endpoint: EndpointState,
): Promise<EndpointState> {
  const { request } = endpoint;
  const active = await context.network.connect({
    sandboxId: record.id,
    networkId: endpoint.networkId,
    name: record.name,
    aliases: [...(request.aliases ?? []), record.id.slice(0, 12)],
    links: linksOf(context, record, request.links),
    ...(request.ipv4Address ? { requestedIPv4: request.ipv4Address } : {}),
    ...(request.ipv6Address ? { requestedIPv6: request.ipv6Address } : {}),
    ...(request.linkLocalIps === undefined ? {} : { linkLocalAddresses: request.linkLocalIps }),
    ...(request.macAddress ? { macAddress: request.macAddress } : {}),
    ...(request.gatewayPriority === undefined ? {} : { gatewayPriority: request.gatewayPriority }),
    ...(request.driverOptions === undefined ? {} : { driverOptions: request.driverOptions }),
  });
  return {
    ...endpoint,
    active: {
      endpointId: active.endpointId,
      interfaceName: active.interfaceName,
      macAddress: active.mac,
      ...(active.ipv4 === undefined ? {} : { ipv4: active.ipv4 }),
      ...(active.ipv6 === undefined ? {} : { ipv6: active.ipv6 }),
      dnsNames: active.dnsNames,
    },
  };
}

/** `name[:alias]` of `--link`, as the containers they mean. */
function linksOf(
  context: EngineContext,
  record: ContainerRecord,
  own: readonly string[] = [],
): readonly EndpointLink[] {
  return [...(record.hostConfig.links ?? []), ...own].map((link) => {
    const [ref = "", alias = ref] = link.split(":");
    const other = context.containers.resolve(ref);
    return { target: other.id, alias };
  });
}

async function publishPorts(context: EngineContext, record: ContainerRecord): Promise<readonly PublishedPort[]> {
  const wanted = wantedPorts(record.hostConfig, record.effective.exposedPorts);
  if (wanted.length === 0) return [];
  const bindings = await context.network.publish(record.id, wanted.map(portMapping));
  return bindings.map(publishedPort);
}

/** A published port as the record has it. */
export function publishedPort({ protocol, containerPort, hostIP, hostPort }: NetworkPortBinding): PublishedPort {
  return { protocol, containerPort, hostIp: hostIP, hostPort };
}

/** A wanted port as the network takes it. */
export function portMapping({ protocol, containerPort, hostIp, hostPorts }: WantedPort): PortMapping {
  return {
    protocol,
    containerPort,
    ...(hostIp === undefined ? {} : { hostIP: hostIp }),
    ...(hostPorts === undefined ? {} : { hostPort: hostPorts[0], hostPortEnd: hostPorts[1] }),
  };
}
