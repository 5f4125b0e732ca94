import { BlockList } from "node:net";
import type { Service, ServiceEndpoint, ServiceEndpointSlice, ServicePort } from "@boxship/client";
import type { ServiceFront, ServicePlace } from "@boxship/network";
import { formatPrefix, parseInterfaceAddress } from "@boxship/network/prefix";

/** What the fronts of all services depend on, besides the services. */
export interface NodeFacts {
  /** Of this node: local endpoints have it. */
  readonly node: string;
  /** The node's. @default unknown */
  readonly zone?: string;
  /** Where this program itself serves a service: by `namespace/name protocol`. @default nowhere */
  readonly local?: LocalPlaces;
}

/** By `namespace/name protocol`, e.g. `default/kubernetes tcp`. */
export type LocalPlaces = ReadonlyMap<string, ServicePlace>;

type Family = "ipv4" | "ipv6";
type Protocol = ServiceFront["protocol"];

const DEFAULT_STICKY_SECONDS = 10_800;
const PROTOCOLS: Readonly<Record<string, Protocol>> = { TCP: "tcp", UDP: "udp", SCTP: "sctp" };

/** An endpoint that a port of a service may lead to. */
interface Candidate {
  readonly place: ServicePlace;
  readonly ready: boolean;
  /** Ends, and answers until then: better than nobody. */
  readonly fallback: boolean;
  readonly local: boolean;
  readonly hints: ServiceEndpoint["hints"];
}

/** What leads to the endpoints of a service; nothing for one without an address of its own. */
export function frontsOf(
  service: Service,
  slices: readonly ServiceEndpointSlice[],
  facts: NodeFacts,
): readonly ServiceFront[] {
  const { spec } = service;
  const { clusterIP = "", type = "ClusterIP", ports = [] } = spec ?? {};
  if (type === "ExternalName" || clusterIP === "" || clusterIP === "None") return [];
  return ports.flatMap((port) => {
    const protocol = PROTOCOLS[port.protocol ?? "TCP"];
    return protocol === undefined ? [] : new PortFronts(service, slices, facts, port, protocol).all();
  });
}

/** The fronts of one port of a service. */
class PortFronts {
  readonly #service: Service;
  readonly #port: ServicePort;
  readonly #protocol: Protocol;
  readonly #stickySeconds: number;
  readonly #facts: NodeFacts;
  readonly #candidates: Readonly<Record<Family, readonly Candidate[]>>;

  constructor(
    service: Service,
    slices: readonly ServiceEndpointSlice[],
    facts: NodeFacts,
    port: ServicePort,
    protocol: Protocol,
  ) {
    this.#service = service;
    this.#facts = facts;
    this.#port = port;
    this.#protocol = protocol;
    const { sessionAffinity, sessionAffinityConfig: config } = service.spec ?? {};
    this.#stickySeconds =
      sessionAffinity === "ClientIP" ? (config?.clientIP?.timeoutSeconds ?? DEFAULT_STICKY_SECONDS) : 0;
    const { namespace = "", name = "" } = service.metadata;
    const own = facts.local?.get(`${namespace}/${name} ${protocol}`);
    const of = (family: Family): readonly Candidate[] => {
      if (own === undefined || familyOf(own.address) !== family) return candidates(slices, port, family, facts.node);
      return [{ place: own, ready: true, fallback: false, local: true, hints: undefined }];
    };
    this.#candidates = { ipv4: of("ipv4"), ipv6: of("ipv6") };
  }

  all(): readonly ServiceFront[] {
    const { clusterIP = "", clusterIPs = [clusterIP], externalIPs = [], type = "" } = this.#service.spec ?? {};
    const { ipFamilies = ["IPv4"] } = this.#service.spec ?? {};
    const ingress = this.#service.status?.loadBalancer?.ingress ?? [];
    const balancers =
      type === "LoadBalancer"
        ? ingress.flatMap(({ ip, ipMode }) => (ip === undefined || ipMode === "Proxy" ? [] : [ip]))
        : [];
    const { port, nodePort = 0 } = this.#port;
    const onNode = nodePort > 0 && ["NodePort", "LoadBalancer"].includes(type);
    return [
      ...clusterIPs.map((address) => this.#internal(address, port)),
      ...externalIPs
        .filter((address) => !balancers.includes(address))
        .map((address) => this.#external(familyOf(address), port, address)),
      ...balancers.map((address) => ({ ...this.#external(familyOf(address), port, address), ...this.#sources })),
      ...(onNode ? ipFamilies : []).map((family) =>
        this.#external(family === "IPv6" ? "ipv6" : "ipv4", nodePort, undefined),
      ),
    ];
  }

  /** Who is let in by the addresses of a balancer. */
  get #sources(): Pick<ServiceFront, "sources"> {
    const ranges = this.#service.spec?.loadBalancerSourceRanges ?? [];
    return ranges.length === 0 ? {} : { sources: ranges.map(networkOf) };
  }

  #internal(address: string, port: number): ServiceFront {
    const isLocal = this.#service.spec?.internalTrafficPolicy === "Local";
    return this.#front(familyOf(address), { address, port, reach: "cluster", isLocal });
  }

  #external(family: Family, port: number, address: string | undefined): ServiceFront {
    const isLocal = this.#service.spec?.externalTrafficPolicy === "Local";
    return this.#front(family, { ...(address === undefined ? {} : { address }), port, reach: "everybody", isLocal });
  }

  #front(
    family: Family,
    {
      isLocal,
      ...where
    }: Pick<ServiceFront, "address" | "port" | "reach"> & {
      /** Only endpoints of this node. */
      readonly isLocal: boolean;
    },
  ): ServiceFront {
    const all = this.#candidates[family];
    const chosen = isLocal ? usable(all.filter(({ local }) => local)) : preferred(usable(all), this.#facts);
    // Somebody else may serve what this node does not: dropped, the client tries again.
    const absent = isLocal && usable(all).length > 0 ? "drop" : "refuse";
    const unique = new Map(chosen.map(({ place }) => [`${place.address} ${place.port}`, place]));
    return {
      ...where,
      family,
      protocol: this.#protocol,
      action: chosen.length > 0 ? "balance" : absent,
      places: [...unique.values()],
      masquerade: where.reach === "everybody" && chosen.some(({ local }) => !local),
      stickySeconds: chosen.length > 0 ? this.#stickySeconds : 0,
    };
  }
}

/** Written as `address/length`, the address may be any of the network. */
function networkOf(range: string): string {
  return formatPrefix(parseInterfaceAddress(range.trim()).prefix);
}

/** Those that are meant for this node, or for its zone, where all are meant for some. */
function preferred(all: readonly Candidate[], { node, zone }: NodeFacts): readonly Candidate[] {
  for (const [list, own] of [
    ["forNodes", node],
    ["forZones", zone],
  ] as const) {
    const meant = all.filter(({ hints }) => hints?.[list]?.some(({ name }) => name === own));
    if (meant.length > 0 && all.every(({ hints }) => (hints?.[list]?.length ?? 0) > 0)) return meant;
  }
  return all;
}

/** Those that are ready; with none, those that end and still answer. */
function usable(all: readonly Candidate[]): readonly Candidate[] {
  const ready = all.filter((one) => one.ready);
  return ready.length > 0 ? ready : all.filter(({ fallback }) => fallback);
}

function candidates(
  slices: readonly ServiceEndpointSlice[],
  { name = "", protocol = "TCP" }: ServicePort,
  family: Family,
  node: string,
): readonly Candidate[] {
  return slices.flatMap(({ addressType, endpoints, ports }) => {
    if (addressType !== (family === "ipv4" ? "IPv4" : "IPv6")) return [];
    const found = ports?.find((one) => (one.name ?? "") === name && (one.protocol ?? "TCP") === protocol);
    const number = found?.port;
    if (number === undefined) return [];
    return (endpoints ?? []).flatMap((endpoint) => candidate(endpoint, number, node));
  });
}

function candidate(
  { addresses, conditions = {}, nodeName, hints }: ServiceEndpoint,
  port: number,
  node: string,
): Candidate[] {
  const [address] = addresses;
  if (address === undefined || leadsToThisMachine(address)) return [];
  const { ready = true, serving = ready, terminating = false } = conditions;
  return [{ place: { address, port }, ready, fallback: serving && terminating, local: nodeName === node, hints }];
}

/**
 * What only this machine reaches, at itself or on a link of its own: whoever may write slices must not lead pods to what listens
 * there for nobody else. What this program serves there goes by {@link LocalPlaces}.
 */
const OWN = new BlockList();
// IPv4 addresses that are written as IPv6 ones count as what they are.
for (const [network, length] of [
  ["0.0.0.0", 8],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
] as const) {
  OWN.addSubnet(network, length, "ipv4");
}
for (const [network, length] of [
  ["::", 127],
  ["fe80::", 10],
] as const) {
  OWN.addSubnet(network, length, "ipv6");
}

function leadsToThisMachine(address: string): boolean {
  return OWN.check(address, familyOf(address));
}

function familyOf(address: string): Family {
  return address.includes(":") ? "ipv6" : "ipv4";
}
