import { acceptWebSocket, InvalidArgument } from "@boxship/base";
import type { AttachOptions, StreamSession } from "@boxship/engine";
import type { WebSocket } from "ws";
import type { ApiCall } from "../../http/call.ts";
import { defineRoute } from "../../http/route.ts";
import { probeForClient } from "../../http/session-stream.ts";
import { attachOptions } from "./attach-options.ts";

/** Before 1.42 the streams could not be chosen. */
function webSocketOptions(query: URLSearchParams, version: number): AttachOptions {
  const options = attachOptions(query);
  return version < 42 ? { ...options, stdin: true, stdout: true, stderr: true } : options;
}

export const containerAttachWs = defineRoute({
  method: "GET",
  path: "/containers/{id}/attach/ws",
  doc: { state: "works" },
  query: webSocketOptions,
  handle: async (call, { query }) => {
    if (!call.upgraded || call.request.headers["sec-websocket-key"] === undefined) {
      throw new InvalidArgument("not websocket protocol");
    }
    const session = await call.engine.containers.attach(call.param("id"), query);
    try {
      const socket = await accept(call);
      probeForClient(call.request.socket);
      await pump(session, socket, call.signal);
    } finally {
      session.close();
    }
    return undefined;
  },
});

function accept(call: ApiCall): Promise<WebSocket> {
  const { socket } = call.request;
  call.response.detachSocket(socket);
  call.adopt(socket);
  return acceptWebSocket(call.request, socket, Buffer.alloc(0));
}

async function pump(session: StreamSession, socket: WebSocket, signal: AbortSignal): Promise<void> {
  const letGo = () => session.close();
  socket.once("close", letGo);
  signal.addEventListener("abort", letGo, { once: true });
  pumpInput(session, socket);
  for await (const { data } of session.output) {
    if (socket.readyState !== socket.OPEN) return;
    await new Promise<void>((resolve) => socket.send(data, { binary: true }, () => resolve()));
  }
  socket.close(1000);
}

function pumpInput({ stdin }: StreamSession, socket: WebSocket): void {
  if (stdin === undefined) return;
  stdin.on("error", () => {});
  socket.on("message", (data: Buffer) => {
    if (stdin.writable && !stdin.write(data)) {
      socket.pause();
      stdin.once("drain", () => socket.resume());
    }
  });
  socket.once("close", () => stdin.end());
}
