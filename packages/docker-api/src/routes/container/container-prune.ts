import { Filters } from "../../http/filters.ts";
import { defineRoute, ok } from "../../http/route.ts";
import { untilTime } from "../../http/until.ts";

export const containerPrune = defineRoute({
  method: "POST",
  path: "/containers/prune",
  doc: { state: "works" },
  query: (query) => Filters.from(query, ["label", "label!", "until"]),
  handle: async ({ engine, context }, { query: filters }) => {
    const until = untilTime(filters, context.clock.now());
    const { removed, reclaimed } = await engine.containers.prune(
      ({ effective, created }) => filters.labels(effective.labels) && (until === undefined || created < until),
    );
    return ok({ ContainersDeleted: removed.length === 0 ? null : removed, SpaceReclaimed: reclaimed });
  },
});
