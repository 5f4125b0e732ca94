import { defineRoute, noContent } from "../../http/route.ts";

export const networkDelete = defineRoute({
  method: "DELETE",
  path: "/networks/{id}",
  doc: { state: "works" },
  handle: async (call) => {
    await call.engine.networks.remove(call.param("id"));
    return noContent;
  },
});
