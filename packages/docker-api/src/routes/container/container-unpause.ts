import { defineRoute, noContent } from "../../http/route.ts";

export const containerUnpause = defineRoute({
  method: "POST",
  path: "/containers/{id}/unpause",
  doc: { state: "differs", note: "a container that is not paused is a 409, where Docker answers 500" },
  handle: async (call) => {
    await call.engine.containers.unpause(call.param("id"));
    return noContent;
  },
});
