import { size } from "../../http/query.ts";
import { defineRoute } from "../../http/route.ts";

export const containerResize = defineRoute({
  method: "POST",
  path: "/containers/{id}/resize",
  doc: { state: "works" },
  query: (query) => ({ height: size(query, "h"), width: size(query, "w") }),
  handle: async (call, { query }) => {
    await call.engine.containers.resize(call.param("id"), query);
    return { status: 200 };
  },
});
