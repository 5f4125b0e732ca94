import type { NetworkRecord } from "@boxship/network";
import type { EngineContext } from "../context.ts";
import type { NetworkView } from "../engine-api.ts";

/** A network with the running containers on it. */
export function networkView(context: EngineContext, record: NetworkRecord): NetworkView {
  return {
    id: record.id,
    name: record.name,
    created: record.created,
    driver: record.driver,
    internal: record.internal,
    attachable: record.attachable,
    enableIPv4: record.enableIPv4,
    enableIPv6: record.enableIPv6,
    ipam: record.ipam,
    options: record.options,
    labels: record.labels,
    containers: members(context, record.id),
  };
}

function members(context: EngineContext, networkId: string): NetworkView["containers"] {
  return context.containers.all().flatMap(({ id, name, endpoints }) => {
    const active = endpoints.find((endpoint) => endpoint.networkId === networkId)?.active;
    if (active === undefined) return [];
    const { endpointId, macAddress, ipv4, ipv6 } = active;
    return [
      {
        id,
        name,
        endpointId,
        macAddress,
        ipv4Address: ipv4 === undefined ? "" : `${ipv4.address}/${ipv4.prefixLength}`,
        ipv6Address: ipv6 === undefined ? "" : `${ipv6.address}/${ipv6.prefixLength}`,
      },
    ];
  });
}
