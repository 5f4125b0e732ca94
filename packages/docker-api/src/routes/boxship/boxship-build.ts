import { Unsupported } from "@boxship/base";
import { JsonStream } from "../../http/json-stream.ts";
import { defineRoute } from "../../http/route.ts";

export const boxshipBuild = defineRoute({
  method: "POST",
  path: "/boxship/build",
  doc: { state: "works", note: "what `boxship build` speaks: secrets, named contexts, outputs, structured progress" },
  handle: async (call) => {
    const { build } = call.context;
    if (build === undefined) throw new Unsupported("this server has no builder");
    const stream = new JsonStream(call);
    try {
      await build.remote(call.request, (message) => stream.write(message), call.signal);
    } catch (error) {
      if (!call.signal.aborted) stream.fail(error);
    }
    if (!stream.closed) stream.end();
    return undefined;
  },
});
