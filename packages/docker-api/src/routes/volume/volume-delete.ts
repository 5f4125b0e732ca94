import { flag } from "../../http/query.ts";
import { defineRoute, noContent } from "../../http/route.ts";

export const volumeDelete = defineRoute({
  method: "DELETE",
  path: "/volumes/{name}",
  doc: { state: "works" },
  query: (query) => ({ force: flag(query, "force") }),
  handle: async (call, { query }) => {
    await call.engine.volumes.remove(call.param("name"), query);
    return noContent;
  },
});
