import { defineRoute, noContent } from "../../http/route.ts";
import { stopOptions } from "./stop-options.ts";

export const containerRestart = defineRoute({
  method: "POST",
  path: "/containers/{id}/restart",
  doc: { state: "works" },
  query: stopOptions,
  handle: async (call, { query }) => {
    await call.engine.containers.restart(call.param("id"), query);
    return noContent;
  },
});
