import { text } from "../../http/query.ts";
import { defineRoute, ok } from "../../http/route.ts";

export const containerTop = defineRoute({
  method: "GET",
  path: "/containers/{id}/top",
  doc: { state: "works" },
  query: (query) => text(query, "ps_args"),
  handle: async (call, { query: args }) => {
    const { titles, rows } = await call.engine.containers.top(call.param("id"), args);
    return ok({ Processes: rows, Titles: titles });
  },
});
