import { text } from "../../http/query.ts";
import { defineRoute, noContent } from "../../http/route.ts";

export const containerKill = defineRoute({
  method: "POST",
  path: "/containers/{id}/kill",
  doc: { state: "works" },
  query: (query) => text(query, "signal"),
  handle: async (call, { query: signal }) => {
    await call.engine.containers.kill(call.param("id"), signal);
    return noContent;
  },
});
