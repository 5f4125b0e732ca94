import { streamType } from "../../http/multiplex.ts";
import { defineRoute } from "../../http/route.ts";
import { pumpSession } from "../../http/session-stream.ts";
import { attachOptions } from "./attach-options.ts";

export const containerAttach = defineRoute({
  method: "POST",
  path: "/containers/{id}/attach",
  doc: { state: "works" },
  query: attachOptions,
  handle: async (call, { query }) => {
    const session = await call.engine.containers.attach(call.param("id"), query);
    if (call.request.socket.destroyed) {
      session.close();
      return undefined;
    }
    const socket = await call.hijack(streamType(session.tty, call.version));
    await pumpSession(session, socket, call.signal);
    return undefined;
  },
});
