import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";

/** What `node:http` listens to on a socket that it parses requests from. */
const PARSER_EVENTS = ["data", "end", "drain", "error", "timeout"] as const;

/** The answer that `node:http` is writing to a socket. */
function currentMessage(socket: Socket): unknown {
  return (socket as Socket & { readonly _httpMessage?: unknown })._httpMessage;
}

/**
 * Ends Node's detour of a connection whose upgrade was told of before the request's body had come: until then, and from
 * then on for ever, a stream between takes what arrives, and stops the socket when nobody reads it there.
 *
 * Call when the body has ended. What came after it is in front of the socket's stream again.
 *
 * @param detour what the `upgrade` event came with instead of the socket
 */
export function endDetour(detour: Duplex, socket: Socket): void {
  socket.removeAllListeners("data");
  const rest = detour.read() as Buffer | null;
  // Neither flowing nor paused, as a connection is that was upgraded without a body.
  socket.pause();
  Object.assign(socket, { readableFlowing: null });
  if (rest !== null) socket.unshift(rest);
}

/**
 * Takes the connection away from HTTP: after the head that is written here, both directions are raw bytes and can be
 * closed separately.
 *
 * With an upgrade the answer is Docker's `101 UPGRADED` and the parser has already let go. Without one it is the old
 * form, a `200 OK` without length; removing the parser's listeners makes it let go (it stops reading natively as soon
 * as its `data` listener is replaced).
 *
 * The caller owns the socket from here on.
 */
export function takeOver(
  request: IncomingMessage,
  response: ServerResponse,
  upgraded: boolean,
  contentType: string | undefined,
  protocol = "tcp",
): Socket {
  const socket = request.socket;
  if (!upgraded) for (const event of PARSER_EVENTS) socket.removeAllListeners(event);
  // Node may have let go of the connection itself by now, and asserts that it has not.
  if (response.socket !== null && currentMessage(socket) === response) response.detachSocket(socket);
  socket.setTimeout(0);
  socket.on("error", () => socket.destroy());
  const status = upgraded ? "101 UPGRADED" : "200 OK";
  const type = contentType === undefined ? "" : `Content-Type: ${contentType}\r\n`;
  const upgrade = upgraded ? `Connection: Upgrade\r\nUpgrade: ${protocol}\r\n` : "";
  socket.write(`HTTP/1.1 ${status}\r\n${type}${upgrade}\r\n`);
  return socket;
}
