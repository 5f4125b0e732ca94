import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { WebSocket } from "ws";
import { InvalidArgument } from "./errors.ts";

/** Most bytes of one message, whose fragments are kept until the last has come. */
const LARGEST_MESSAGE = 16 << 20;

/**
 * Takes a connection over as a WebSocket (RFC 6455), without compression. What is no frame closes it, with a code that
 * says why.
 *
 * @param head what has been read after the request's end
 * @param protocol the one of those that were offered; without it the first
 * @throws InvalidArgument the client has gone before it was open
 */
export async function acceptWebSocket(
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  protocol?: string,
): Promise<WebSocket> {
  const { WebSocketServer } = await import("ws");
  const server = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    clientTracking: false,
    maxPayload: LARGEST_MESSAGE,
    // What people type is bytes, whatever kind of message brings it.
    skipUTF8Validation: true,
    ...(protocol !== undefined && { handleProtocols: () => protocol }),
  });
  return new Promise((resolve, reject) => {
    const leave = () => reject(new InvalidArgument("the WebSocket was closed before it was open"));
    if (socket.destroyed) return leave();
    socket.once("close", leave);
    server.handleUpgrade(request, socket, head, (opened) => {
      socket.off("close", leave);
      opened.on("error", () => {});
      resolve(opened);
    });
  });
}
