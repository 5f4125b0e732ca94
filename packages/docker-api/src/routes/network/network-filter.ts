import { InvalidArgument } from "@boxship/base";
import type { NetworkView } from "@boxship/engine";
import type { Filters } from "../../http/filters.ts";
import { compilePattern } from "../../http/pattern.ts";

/** Filters of `GET /networks`. */
export const NETWORK_FILTERS = ["dangling", "driver", "id", "label", "label!", "name", "scope", "type"] as const;

const BUILTIN = new Set(["bridge", "host", "none"]);

export function isBuiltin(network: NetworkView): boolean {
  return BUILTIN.has(network.name);
}

/** Names and ids are regular expressions, as with Docker. */
export async function networkFilter(filters: Filters): Promise<(network: NetworkView) => boolean> {
  for (const type of filters.get("type")) {
    if (type !== "custom" && type !== "builtin") throw new InvalidArgument(`invalid filter: 'type'='${type}'`);
  }
  const dangling = filters.flag("dangling");
  const names = await Promise.all(filters.get("name").map(compilePattern));
  const ids = await Promise.all(filters.get("id").map(compilePattern));
  const found = (patterns: typeof names, text: string): boolean =>
    patterns.length === 0 || patterns.some((matches) => matches(text));
  return (network) =>
    filters.any("driver", (driver) => driver === network.driver) &&
    found(names, network.name) &&
    found(ids, network.id) &&
    filters.any("scope", (scope) => scope === "local") &&
    filters.any("type", (type) => (type === "builtin") === isBuiltin(network)) &&
    filters.labels(network.labels) &&
    (dangling === undefined || (!isBuiltin(network) && network.containers.length === 0) === dangling);
}
