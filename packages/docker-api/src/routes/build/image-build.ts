import { Unsupported } from "@boxship/base";
import type { BuildDoor } from "../../build-door.ts";
import type { ApiCall } from "../../http/call.ts";
import { JsonStream } from "../../http/json-stream.ts";
import { defineRoute } from "../../http/route.ts";

/** The builder that this server was given. @throws Unsupported when it was given none */
function builderOf(call: ApiCall): BuildDoor {
  const { build } = call.context;
  if (build !== undefined) return build;
  throw new Unsupported("building images is not supported: this server has no builder", {
    remedy: "build with the instance's own daemon",
  });
}

export const imageBuild = defineRoute({
  method: "POST",
  path: "/build",
  doc: { state: "works", note: "see `docs/build.md`" },
  query: (query) => query,
  handle: async (call, { query }) => {
    const builder = builderOf(call);
    const stream = new JsonStream(call, "\r\n");
    const header = call.request.headers["x-registry-config"];
    const registryConfig = Array.isArray(header) ? header[0] : header;
    try {
      await builder.build(
        { query, registryConfig, body: call.request },
        (message) => stream.write(message),
        call.signal,
      );
    } catch (error) {
      if (!call.signal.aborted) stream.fail(error);
    }
    if (!stream.closed) stream.end();
    return undefined;
  },
});
