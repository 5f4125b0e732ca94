import { NotFound, Unsupported } from "@boxship/base";
import { RAW_TYPE } from "../../http/multiplex.ts";
import { defineRoute } from "../../http/route.ts";

export const buildStream = defineRoute({
  method: "POST",
  path: "/boxship/build-streams/{token}",
  doc: { state: "works", note: "a connection to an SSH agent, which a build asked `boxship build` for" },
  handle: async (call) => {
    const { build } = call.context;
    if (build === undefined) throw new Unsupported("this server has no builder");
    const take = build.stream(call.param("token"));
    if (take === undefined) throw new NotFound("no build has asked for this connection");
    take(await call.hijack(RAW_TYPE));
    return undefined;
  },
});
