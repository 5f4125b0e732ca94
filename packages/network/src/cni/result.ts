import type { EndpointAddress } from "../contract.ts";
import { formatAddress, parseInterfaceAddress } from "../ip/prefix.ts";
import type { CniResult } from "./network-list.ts";

/** What an attachment came to. */
export interface CniInterface {
  /** Empty where the interface has no address of its own kind. */
  readonly mac: string;
  readonly ipv4?: EndpointAddress;
  readonly ipv6?: EndpointAddress;
  /** The host's link that leads to the container: a bridge or the other end; none where the host cannot reach it. */
  readonly hostLink?: string;
  readonly dns: CniDns;
}

/** What plugins say about names. */
export interface CniDns {
  readonly nameservers: readonly string[];
  /** The result's domain, if any, stands first. */
  readonly search: readonly string[];
  readonly options: readonly string[];
}

interface Wire {
  readonly interfaces?: readonly { readonly name?: string; readonly mac?: string; readonly sandbox?: string }[];
  readonly ips?: readonly { readonly address?: string; readonly gateway?: string; readonly interface?: number }[];
  readonly routes?: readonly { readonly dst?: string; readonly gw?: string }[];
  readonly dns?: Partial<CniDns> & { readonly domain?: string };
}

/** Reads a result (CNI specification 1.1, section 5), of version 0.3.0 or later. */
export function readResult(result: CniResult, interfaceName: string): CniInterface {
  const wire: Wire = result;
  const { interfaces = [], dns } = wire;
  const own = interfaces.find(({ name, sandbox }) => name === interfaceName && (sandbox ?? "") !== "");
  const hostLink = interfaces.find(({ sandbox }) => (sandbox ?? "") === "")?.name;
  const ipv4 = addressOf(wire, interfaceName, 4);
  const ipv6 = addressOf(wire, interfaceName, 6);
  return {
    mac: own?.mac ?? "",
    ...(ipv4 === undefined ? {} : { ipv4 }),
    ...(ipv6 === undefined ? {} : { ipv6 }),
    ...(hostLink === undefined ? {} : { hostLink }),
    dns: {
      nameservers: dns?.nameservers ?? [],
      search: [...new Set([...(dns?.domain ? [dns.domain] : []), ...(dns?.search ?? [])])],
      options: dns?.options ?? [],
    },
  };
}

/** The first address of a family on the interface; with a gateway when a default route goes by it. */
function addressOf(
  { ips = [], interfaces = [], routes = [] }: Wire,
  interfaceName: string,
  family: 4 | 6,
): EndpointAddress | undefined {
  const isDefault = family === 4 ? "0.0.0.0/0" : "::/0";
  const way = routes.find(({ dst }) => dst === isDefault);
  for (const { address = "", gateway, interface: index } of ips) {
    const name = index === undefined ? interfaceName : interfaces[index]?.name;
    if (name !== interfaceName || address === "") continue;
    const parsed = parseInterfaceAddress(address);
    if (parsed.address.family !== family) continue;
    const by = way === undefined ? undefined : (way.gw ?? gateway);
    return {
      address: formatAddress(parsed.address),
      prefixLength: parsed.prefix.length,
      ...(by === undefined || by === "" ? {} : { gateway: by }),
    };
  }
  return undefined;
}
