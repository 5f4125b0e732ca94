import type { Service, ServiceEndpoint, ServiceEndpointSlice } from "@boxship/client";

/** An endpoint of a service as DNS tells of it. */
export interface NamedEndpoint {
  /** Its label under the service: its host name, or its address with dashes. */
  readonly label: string;
  readonly addresses: readonly string[];
  readonly ports: readonly NamedPort[];
}

export interface NamedPort {
  readonly name: string;
  /** `tcp`, `udp`, `sctp` */
  readonly protocol: string;
  readonly port: number;
}

/** What DNS tells of one service. */
export interface NamedService {
  /** Cluster addresses; none of a headless one. */
  readonly addresses: readonly string[];
  readonly isHeadless: boolean;
  /** Another name for which it stands. */
  readonly alias?: string;
  readonly ports: readonly NamedPort[];
  /** Those that are ready. */
  readonly endpoints: readonly NamedEndpoint[];
}

export function nameService(service: Service, slices: readonly ServiceEndpointSlice[]): NamedService {
  const { type = "", clusterIP = "", clusterIPs = [clusterIP], externalName, ports = [] } = service.spec ?? {};
  const isHeadless = clusterIP === "None";
  return {
    addresses: type === "ExternalName" || isHeadless ? [] : clusterIPs.filter((address) => address !== ""),
    isHeadless,
    ...(type === "ExternalName" && externalName !== undefined ? { alias: trimDot(externalName.toLowerCase()) } : {}),
    ports: ports.map(({ name = "", protocol = "TCP", port }) => ({ name, protocol: protocol.toLowerCase(), port })),
    endpoints: slices.flatMap((slice) => (slice.endpoints ?? []).flatMap((one) => nameEndpoint(one, slice))),
  };
}

function nameEndpoint(endpoint: ServiceEndpoint, { ports, addressType }: ServiceEndpointSlice): NamedEndpoint[] {
  const { addresses, conditions, hostname } = endpoint;
  const [first] = addresses;
  if (conditions?.ready === false || first === undefined || addressType === "FQDN") return [];
  const named = (ports ?? []).flatMap(({ name = "", protocol = "TCP", port }) =>
    port === undefined ? [] : [{ name, protocol: protocol.toLowerCase(), port }],
  );
  return [{ label: hostname ?? dashed(first), addresses, ports: named }];
}

/** An address as a label. */
export function dashed(address: string): string {
  return address.replaceAll(/[.:]/g, "-");
}

/** The address that a label stands for; undefined for others. */
export function undashed(label: string): { readonly address: string; readonly six: boolean } | undefined {
  const four = /^(\d{1,3})-(\d{1,3})-(\d{1,3})-(\d{1,3})$/.exec(label);
  if (four !== null) {
    const parts = four.slice(1).map(Number);
    return parts.some((part) => part > 255) ? undefined : { address: parts.join("."), six: false };
  }
  const six = label.replaceAll("-", ":");
  const groups = six.split("::").flatMap((half) => (half === "" ? [] : half.split(":")));
  const isWhole = six.includes("::") ? six.split("::").length === 2 && groups.length < 8 : groups.length === 8;
  return isWhole && groups.every((group) => /^[0-9a-f]{1,4}$/.test(group)) ? { address: six, six: true } : undefined;
}

export function trimDot(name: string): string {
  return name.endsWith(".") ? name.slice(0, -1) : name;
}
