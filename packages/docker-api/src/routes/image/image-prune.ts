import type { ImageView } from "@boxship/engine";
import { parseUnixSeconds } from "../../format/time.ts";
import { Filters } from "../../http/filters.ts";
import { defineRoute, ok } from "../../http/route.ts";
import { untilTime } from "../../http/until.ts";
import { encodeRemovals } from "./removals.ts";

export const imagePrune = defineRoute({
  method: "POST",
  path: "/images/prune",
  doc: { state: "works" },
  query: (query) => {
    const filters = Filters.from(query, ["dangling", "label", "label!", "until"]);
    return { filters, dangling: filters.flag("dangling") ?? true };
  },
  handle: async ({ engine, context }, { query: { filters, dangling } }) => {
    const until = untilTime(filters, context.clock.now());
    const filter = (image: ImageView) =>
      filters.labels(image.config.labels ?? {}) &&
      (until === undefined || parseUnixSeconds(image.created) * 1000 < until);
    const { removed, reclaimed } = await engine.images.prune({ dangling, filter });
    return ok({ ImagesDeleted: removed.length === 0 ? null : encodeRemovals(removed), SpaceReclaimed: reclaimed });
  },
});
