import type { EndpointRequest } from "@boxship/engine";
import type { RouteDoc } from "../http/route.ts";
import { type Codec, field, integer, map, object, string, strings } from "./codec.ts";

interface IpamWire {
  readonly ipv4Address?: string;
  readonly ipv6Address?: string;
  readonly linkLocalIps?: readonly string[];
}

const ipam = object<IpamWire>("EndpointIPAMConfig", {
  ipv4Address: field("IPv4Address", string),
  ipv6Address: field("IPv6Address", string),
  linkLocalIps: field("LinkLocalIPs", strings),
});

type Wire = Omit<EndpointRequest, keyof IpamWire> & { readonly ipam?: IpamWire };

const fields = object<Wire>("EndpointSettings", {
  ipam: field("IPAMConfig", ipam, { zero: null }),
  links: field("Links", strings, { zero: null }),
  aliases: field("Aliases", strings, { zero: null }),
  macAddress: field("MacAddress", string),
  driverOptions: field("DriverOpts", map(string), { zero: null, since: 32 }),
  gatewayPriority: field("GwPriority", integer(), { zero: 0, since: 48 }),
});

/** What a client asks of an endpoint; addresses that only an answer has are passed over, as Docker does. */
export const endpointRequest: Codec<EndpointRequest> = {
  type: "EndpointSettings",
  decode(value, at, context) {
    const { ipam: addresses, ...rest } = fields.decode(value, at, context);
    return { ...rest, ...addresses };
  },
  encode({ ipv4Address, ipv6Address, linkLocalIps, ...rest }, version) {
    const addresses = {
      ...(ipv4Address === undefined ? {} : { ipv4Address }),
      ...(ipv6Address === undefined ? {} : { ipv6Address }),
      ...(linkLocalIps === undefined ? {} : { linkLocalIps }),
    };
    return fields.encode({ ...rest, ...(Object.keys(addresses).length === 0 ? {} : { ipam: addresses }) }, version);
  },
};

/** `EndpointsConfig`: by network; null asks for the defaults. */
export const endpointRequests: Codec<Readonly<Record<string, EndpointRequest>>> = {
  ...map(endpointRequest),
  decode(value, at, context) {
    const filled =
      typeof value === "object" && value !== null && !Array.isArray(value)
        ? Object.fromEntries(Object.entries(value).map(([name, entry]) => [name, entry ?? {}]))
        : value;
    return map(endpointRequest).decode(filled, at, context);
  },
};

/** Fields of `EndpointSettings` that only answers fill, below `prefix`; for the documentation. */
export function answerFields(prefix: string): RouteDoc["details"] {
  const names =
    "NetworkID EndpointID Gateway IPAddress IPPrefixLen IPv6Gateway GlobalIPv6Address GlobalIPv6PrefixLen DNSNames";
  const detail = { state: "differs", note: "passed over, as Docker does: it is part of answers" } as const;
  return Object.fromEntries(names.split(" ").map((name) => [`${prefix}.${name}`, detail]));
}
