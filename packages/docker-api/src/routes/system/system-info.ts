import { defineRoute, ok } from "../../http/route.ts";
import { encodeInfo } from "../../view/info.ts";
import { eventListeners } from "./system-events.ts";

export const systemInfo = defineRoute({
  method: "GET",
  path: "/info",
  doc: { state: "works" },
  handle: async ({ engine, context, version }) =>
    ok(
      encodeInfo(await engine.system.info(), {
        server: context.info ?? {},
        version,
        now: context.clock.now(),
        eventListeners: eventListeners(engine),
      }),
    ),
});
