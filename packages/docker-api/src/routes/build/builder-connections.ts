import { InvalidArgument, Unsupported } from "@boxship/base";
import type { ApiCall } from "../../http/call.ts";
import { defineRoute } from "../../http/route.ts";
import type { BuildkitConnections, HeaderValues } from "../../options.ts";

/** HTTP/2 without TLS: what both connections become. */
const PROTOCOL = "h2c";

function builderOf(call: ApiCall): BuildkitConnections {
  const { buildkit: builder } = call.context;
  if (builder === undefined) throw new Unsupported("building images is not supported: this server has no builder");
  if (!call.upgraded || call.request.headers.upgrade?.toLowerCase() !== PROTOCOL)
    throw new InvalidArgument(`the connection must be upgraded to ${PROTOCOL}`);
  return builder;
}

/** On this connection the client serves: its files, secrets and credentials. */
export const builderSession = defineRoute({
  method: "POST",
  path: "/session",
  minVersion: 31,
  doc: { state: "works", note: "see `docs/build.md`" },
  handle: async (call) => {
    const builder = builderOf(call);
    const headers = call.request.headersDistinct as HeaderValues;
    builder.checkSession(headers);
    builder.session(await call.hijackTo(PROTOCOL), headers);
    return undefined;
  },
});

/** On this connection the client calls BuildKit's services. */
export const builderGrpc = defineRoute({
  method: "POST",
  path: "/grpc",
  minVersion: 31,
  doc: { state: "works", note: "see `docs/build.md`" },
  handle: async (call) => {
    const builder = builderOf(call);
    builder.grpc(await call.hijackTo(PROTOCOL));
    return undefined;
  },
});
