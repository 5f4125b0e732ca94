import { InvalidArgument } from "@boxship/base";
import type { NetworkView } from "@boxship/engine";
import type { Filters } from "../../http/filters.ts";

/** Filters of `GET /networks`. */
export const NETWORK_FILTERS = ["dangling", "driver", "id", "label", "label!", "name", "scope", "type"] as const;

const BUILTIN = new Set(["bridge", "host", "none"]);

export function isBuiltin(network: NetworkView): boolean {
  return BUILTIN.has(network.name);
}

export function networkFilter(filters: Filters): (network: NetworkView) => boolean {
  for (const type of filters.get("type")) {
    if (type !== "custom" && type !== "builtin") throw new InvalidArgument(`invalid filter: 'type'='${type}'`);
  }
  const dangling = filters.flag("dangling");
  return (network) =>
    filters.any("driver", (driver) => driver === network.driver) &&
    filters.any("name", (name) => network.name.includes(name)) &&
    filters.any("id", (id) => network.id.includes(id)) &&
    filters.any("scope", (scope) => scope === "local") &&
    filters.any("type", (type) => (type === "builtin") === isBuiltin(network)) &&
    filters.labels(network.labels) &&
    (dangling === undefined || (!isBuiltin(network) && network.containers.length === 0) === dangling);
}
