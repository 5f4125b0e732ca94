import { Filters } from "../../http/filters.ts";
import { defineRoute, ok } from "../../http/route.ts";

export const volumePrune = defineRoute({
  method: "POST",
  path: "/volumes/prune",
  doc: { state: "works" },
  query: (query, version) => {
    const filters = Filters.from(query, ["all", "label", "label!"]);
    // Since 1.42 a volume that was given a name is only pruned on request.
    return { filters, all: version < 42 || filters.flag("all") === true };
  },
  handle: async ({ engine }, { query: { filters, all } }) => {
    const { removed, reclaimed } = await engine.volumes.prune(
      (volume) => (all || volume.anonymous) && filters.labels(volume.labels),
    );
    return ok({ VolumesDeleted: removed, SpaceReclaimed: reclaimed });
  },
});
