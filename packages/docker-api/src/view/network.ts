import type { NetworkView } from "@boxship/engine";
import { rfc3339 } from "../format/time.ts";

/** A network; `withContainers` for an inspect, and for lists before 1.28. */
export function encodeNetwork(network: NetworkView, version: number, withContainers: boolean): Record<string, unknown> {
  return {
    Name: network.name,
    Id: network.id,
    Created: rfc3339(network.created),
    Scope: "local",
    Driver: network.driver,
    ...(version >= 48 ? { EnableIPv4: network.enableIPv4 } : {}),
    EnableIPv6: network.enableIPv6,
    IPAM: encodeIpam(network.ipam),
    Internal: network.internal,
    Attachable: network.attachable,
    Ingress: false,
    ConfigFrom: { Network: "" },
    ConfigOnly: false,
    Containers: withContainers ? encodeContainers(network.containers) : {},
    Options: network.options,
    Labels: network.labels,
  };
}

function encodeIpam(ipam: NetworkView["ipam"]): Record<string, unknown> {
  return {
    Driver: ipam.driver,
    Options: ipam.options ?? null,
    Config: ipam.config.map((config) => ({
      Subnet: config.subnet,
      ...(config.ipRange === undefined ? {} : { IPRange: config.ipRange }),
      ...(config.gateway === undefined ? {} : { Gateway: config.gateway }),
      ...(config.auxiliaryAddresses === undefined ? {} : { AuxiliaryAddresses: config.auxiliaryAddresses }),
    })),
  };
}

function encodeContainers(containers: NetworkView["containers"]): Record<string, unknown> {
  return Object.fromEntries(
    containers.map((container) => [
      container.id,
      {
        Name: container.name,
        EndpointID: container.endpointId,
        MacAddress: container.macAddress,
        IPv4Address: container.ipv4Address,
        IPv6Address: container.ipv6Address,
      },
    ]),
  );
}
