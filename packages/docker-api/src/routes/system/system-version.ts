import { defineRoute, ok } from "../../http/route.ts";
import { encodeVersion } from "../../view/info.ts";

export const systemVersion = defineRoute({
  method: "GET",
  path: "/version",
  doc: { state: "works" },
  handle: async ({ engine, context }) => ok(encodeVersion(await engine.system.info(), context.info ?? {})),
});
