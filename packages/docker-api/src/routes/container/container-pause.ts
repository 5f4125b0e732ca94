import { defineRoute, noContent } from "../../http/route.ts";

export const containerPause = defineRoute({
  method: "POST",
  path: "/containers/{id}/pause",
  doc: { state: "works" },
  handle: async (call) => {
    await call.engine.containers.pause(call.param("id"));
    return noContent;
  },
});
