import { defineRoute, noContent, notModified } from "../../http/route.ts";
import { stopOptions } from "./stop-options.ts";

export const containerStop = defineRoute({
  method: "POST",
  path: "/containers/{id}/stop",
  doc: { state: "works" },
  query: stopOptions,
  handle: async (call, { query }) =>
    (await call.engine.containers.stop(call.param("id"), query)) ? noContent : notModified,
});
