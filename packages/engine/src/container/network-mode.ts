import { InvalidArgument } from "@boxship/base";
import type { ContainerConfig, CreateContainerRequest, EndpointRequest, HostConfig } from "./config.ts";

/** `--network`, understood. */
export type NetworkMode =
  | { readonly kind: "host" }
  | { readonly kind: "none" }
  | { readonly kind: "container"; readonly ref: string }
  | { readonly kind: "pod"; readonly id: string }
  | { readonly kind: "network"; readonly name: string };

/** The network of containers that name none. */
export const DEFAULT_NETWORK = "bridge";

/** The network of a container: its pod's, or what its mode says. */
export function networkModeOf({ pod, networkMode }: HostConfig): NetworkMode {
  return pod === undefined ? parseNetworkMode(networkMode) : { kind: "pod", id: pod };
}

function parseNetworkMode(mode: string | undefined): NetworkMode {
  switch (mode) {
    case undefined:
    case "":
    case "default":
      return { kind: "network", name: DEFAULT_NETWORK };
    case "host":
      return { kind: "host" };
    case "none":
      return { kind: "none" };
    default:
      if (!mode.startsWith("container:")) return { kind: "network", name: mode };
      if (mode === "container:") {
        throw new InvalidArgument("invalid container format container:<name|id>", {
          subject: { kind: "network", name: mode },
        });
      }
      return { kind: "container", ref: mode.slice("container:".length) };
  }
}

/** Refuses options that the network mode makes meaningless, with Docker's texts. */
export function checkNetworkOptions(
  mode: NetworkMode,
  hostConfig: HostConfig,
  { exposedPorts = [], hostname = "" }: Pick<ContainerConfig, "exposedPorts" | "hostname"> = {},
): void {
  const conflict = (what: string) => {
    throw new InvalidArgument(`conflicting options: ${what}`);
  };
  const has = (value: object | undefined) => value !== undefined && Object.keys(value).length > 0;
  if (mode.kind === "container") {
    if (hostname !== "") conflict("hostname and the network mode");
    if (has(hostConfig.links))
      conflict("container type network can't be used with links. This would result in undefined behavior");
    if (has(hostConfig.dns)) conflict("dns and the network mode");
    if (has(hostConfig.extraHosts)) conflict("custom host-to-IP mapping and the network mode");
    if (has(hostConfig.portBindings) || hostConfig.publishAllPorts === true)
      conflict("port publishing and the container type network mode");
    if (exposedPorts.length > 0) conflict("port exposing and the container type network mode");
  }
  if (mode.kind === "pod" && has(hostConfig.portBindings)) conflict("port publishing and a pod");
  if (mode.kind === "host" && has(hostConfig.links)) {
    conflict("host type networking can't be used with links. This would result in undefined behavior");
  }
  const sysctl = Object.keys(hostConfig.sysctls ?? {})
    .map((name) => name.replaceAll("/", "."))
    .find((name) => name.startsWith("net."));
  if (sysctl === undefined) return;
  if (mode.kind === "host") throw new InvalidArgument(`sysctl "${sysctl}" not allowed in host network namespace`);
  if (mode.kind === "container") conflict(`sysctl "${sysctl}" and the container type network mode`);
}

/**
 * The networks that a new container joins: the one of its mode plus all that are named, each once.
 *
 * @param canonical the id of a network, so that a name and an id of the same network fall together
 */
export function plannedEndpoints(
  request: CreateContainerRequest,
  mode: NetworkMode,
  canonical: (ref: string) => { readonly id: string; readonly name: string },
): readonly { readonly id: string; readonly name: string; readonly request: EndpointRequest }[] {
  if (mode.kind === "container" || mode.kind === "pod" || request.config.networkDisabled === true) return [];
  const named = Object.entries(request.endpoints ?? {});
  const first = mode.kind === "network" ? mode.name : mode.kind;
  if (mode.kind !== "network") {
    if (named.some(([ref]) => canonical(ref).name !== first)) {
      throw new InvalidArgument(
        `conflicting options: cannot attach both user-defined and non-user-defined network-modes`,
      );
    }
    for (const [, endpoint] of named) refuseOwnAddress(endpoint);
    const { id, name } = canonical(first);
    return [{ id, name, request: {} }];
  }
  const planned = new Map<string, { id: string; name: string; request: EndpointRequest }>();
  planned.set(canonical(first).id, { ...canonical(first), request: {} });
  for (const [ref, endpoint] of named) {
    const network = canonical(ref);
    planned.set(network.id, { ...network, request: endpoint });
  }
  const { macAddress } = request.config;
  const own = planned.get(canonical(first).id);
  if (macAddress !== undefined && macAddress !== "" && own !== undefined && own.request.macAddress === undefined) {
    own.request = { ...own.request, macAddress };
  }
  for (const { name, request: endpoint } of planned.values()) {
    const isDefault = name === DEFAULT_NETWORK;
    if (isDefault) refuseOwnAddress(endpoint);
    if (isDefault && endpoint.aliases !== undefined && endpoint.aliases.length > 0) {
      throw new InvalidArgument("network-scoped alias is supported only for containers in user defined networks", {
        remedy: "make a network with 'network create' and use it with --network",
      });
    }
  }
  return [...planned.values()];
}

function refuseOwnAddress({ ipv4Address, ipv6Address }: EndpointRequest): void {
  if (!ipv4Address && !ipv6Address) return;
  throw new InvalidArgument("user specified IP address is supported on user defined networks only", {
    remedy: "make a network with 'network create' and use it with --network",
  });
}
