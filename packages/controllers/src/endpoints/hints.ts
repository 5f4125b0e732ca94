import type { Endpoint, Service } from "../types/services.ts";

const CLOSE = ["PreferClose", "PreferSameZone", "PreferSameNode"];
const TOPOLOGY_MODE = "service.kubernetes.io/topology-mode";

/** For whom an endpoint is meant before others, as the service's `trafficDistribution` says: what is ready serves its own. */
export function hintsFor({ spec, metadata }: Service, endpoint: Endpoint): Pick<Endpoint, "hints"> {
  const wish = spec?.trafficDistribution ?? "";
  const { zone, nodeName, conditions } = endpoint;
  // The older annotation counts before it.
  const isAuto = metadata.annotations?.[TOPOLOGY_MODE]?.toLowerCase() === "auto";
  if (isAuto || !CLOSE.includes(wish) || !conditions.ready) return {};
  const hints = {
    ...(zone === undefined ? {} : { forZones: [{ name: zone }] }),
    ...(nodeName === undefined || wish !== "PreferSameNode" ? {} : { forNodes: [{ name: nodeName }] }),
  };
  return Object.keys(hints).length === 0 ? {} : { hints };
}
