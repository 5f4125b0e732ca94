import { Filters } from "../../http/filters.ts";
import { defineRoute, ok } from "../../http/route.ts";
import { untilTime } from "../../http/until.ts";
import { isBuiltin } from "./network-filter.ts";

export const networkPrune = defineRoute({
  method: "POST",
  path: "/networks/prune",
  doc: { state: "works" },
  query: (query) => Filters.from(query, ["label", "label!", "until"]),
  handle: async ({ engine, context }, { query: filters }) => {
    const until = untilTime(filters, context.clock.now());
    const names = await engine.networks.prune(
      (network) =>
        !isBuiltin(network) && filters.labels(network.labels) && (until === undefined || network.created < until),
    );
    return ok({ NetworksDeleted: names.length === 0 ? null : names });
  },
});
