import type { ContainerView, EndpointState } from "@boxship/engine";
import { endpointRequest } from "../wire/endpoint.ts";

/** One of `NetworkSettings.Networks`. */
export function encodeEndpoint(
  endpoint: EndpointState,
  view: Pick<ContainerView, "id" | "name">,
  version: number,
): Record<string, unknown> {
  const { active, request } = endpoint;
  const asked = endpointRequest.encode(request, version) as Record<string, unknown>;
  return {
    ...asked,
    ...(version < 45 ? { Aliases: oldAliases(endpoint, view) } : {}),
    NetworkID: endpoint.networkId,
    EndpointID: active?.endpointId ?? "",
    Gateway: active?.ipv4?.gateway ?? "",
    IPAddress: active?.ipv4?.address ?? "",
    IPPrefixLen: active?.ipv4?.prefixLength ?? 0,
    IPv6Gateway: active?.ipv6?.gateway ?? "",
    GlobalIPv6Address: active?.ipv6?.address ?? "",
    GlobalIPv6PrefixLen: active?.ipv6?.prefixLength ?? 0,
    MacAddress: active?.macAddress ?? request.macAddress ?? "",
    ...(version >= 44
      ? { DNSNames: active === undefined || active.dnsNames.length === 0 ? null : active.dnsNames }
      : {}),
  };
}

const PREDEFINED = new Set(["bridge", "host", "none", "default"]);

/** Before 1.45 the short id stood among the aliases of a user's own network. */
function oldAliases(endpoint: EndpointState, view: Pick<ContainerView, "id">): readonly string[] | null {
  const asked = endpoint.request.aliases ?? [];
  if (PREDEFINED.has(endpoint.networkName)) return asked.length === 0 ? null : asked;
  const short = view.id.slice(0, 12);
  return asked.includes(short) ? asked : [...asked, short];
}

/** `Networks`, by name. */
export function encodeEndpoints(view: ContainerView, version: number): Record<string, unknown> {
  return Object.fromEntries(view.endpoints.map((e) => [e.networkName, encodeEndpoint(e, view, version)]));
}
