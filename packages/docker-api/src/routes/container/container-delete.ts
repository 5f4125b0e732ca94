import { Unsupported } from "@boxship/base";
import { flag } from "../../http/query.ts";
import { defineRoute, noContent } from "../../http/route.ts";

export const containerDelete = defineRoute({
  method: "DELETE",
  path: "/containers/{id}",
  doc: { state: "works", note: "`link` is refused: links cannot be removed from a container" },
  query: (query) => {
    if (flag(query, "link")) throw new Unsupported("removing a link is not supported: remove the container instead");
    return { force: flag(query, "force"), volumes: flag(query, "v") };
  },
  handle: async (call, { query }) => {
    await call.engine.containers.remove(call.param("id"), query);
    return noContent;
  },
});
