import { Unsupported } from "@boxship/base";
import { flag } from "../../http/query.ts";
import { defineRoute, ok } from "../../http/route.ts";
import { encodeRemovals } from "./removals.ts";

export const imageDelete = defineRoute({
  method: "DELETE",
  path: "/images/{name*}",
  doc: { state: "works", note: "`platforms` is refused: an image here has one platform" },
  query: (query, version) => {
    if (version >= 50 && query.has("platforms")) {
      throw new Unsupported("removing single platforms is not supported: an image here has one platform");
    }
    return { force: flag(query, "force"), noPrune: flag(query, "noprune") };
  },
  handle: async (call, { query }) => ok(encodeRemovals(await call.engine.images.remove(call.param("name"), query))),
});
