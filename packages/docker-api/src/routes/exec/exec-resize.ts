import { size } from "../../http/query.ts";
import { defineRoute } from "../../http/route.ts";

export const execResize = defineRoute({
  method: "POST",
  path: "/exec/{id}/resize",
  doc: { state: "works" },
  query: (query) => ({ height: size(query, "h"), width: size(query, "w") }),
  handle: async (call, { query }) => {
    await call.engine.execs.resize(call.param("id"), query);
    return { status: 200 };
  },
});
