import {
  type IncomingHttpHeaders,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  request as requestPlain,
  ServerResponse,
  STATUS_CODES,
} from "node:http";
import type { Http2ServerRequest } from "node:http2";
import { type RequestOptions, request as requestTls } from "node:https";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { DeadlineExceeded } from "./errors.ts";

/** RFC 9110 7.6.1, and HTTP/2's own. */
const HOP_BY_HOP = new Set([
  "connection",
  "http2-settings",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** Headers of a message that are for whoever is behind this server, too: neither the connection's nor what it names as such. */
export function passedHeaders(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const { connection } = headers;
  const named = new Set((connection ?? "").split(",").map((one) => one.trim().toLowerCase()));
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => !name.startsWith(":") && !HOP_BY_HOP.has(name) && !named.has(name)),
  );
}

export type Received = IncomingMessage | Http2ServerRequest;

/** Whether its client wants the connection to become another protocol's. */
export const wantsUpgrade = (request: Received): boolean => "upgrade" in request && request.upgrade === true;

export interface SendOnOptions extends RequestOptions {
  /** By TLS. */
  readonly isTls: boolean;
  /** Those that are passed; what says where the body ends is added. */
  readonly headers: OutgoingHttpHeaders;
  /** Ends it. */
  readonly gone: AbortSignal;
  /** Until there is a connection. @default for ever */
  readonly dialTimeoutMs?: number;
}

/** An answer, or another protocol on the connection from here on. */
export type Answered = { readonly answer: IncomingMessage } | Upgraded;

/** Sends a request on to a server behind this one, its body as it comes. Rejects as the connection fails. @throws DeadlineExceeded */
export function sendOn(request: Received, { isTls, gone, dialTimeoutMs, headers, ...to }: SendOnOptions) {
  const send = isTls ? requestTls : requestPlain;
  const hasBody = bodyOf(request);
  // Methods that have no body most times would send theirs without saying where it ends.
  const isEndless = hasBody && request.headers["content-length"] === undefined;
  return new Promise<Answered>((resolve, reject) => {
    const sent = send({
      ...to,
      method: request.method,
      headers: {
        ...headers,
        ...(isEndless ? { "transfer-encoding": "chunked" } : {}),
        ...(wantsUpgrade(request) ? { connection: "Upgrade", upgrade: request.headers.upgrade } : {}),
      },
    });
    const late = (): void => void sent.destroy(new DeadlineExceeded("no connection in time"));
    const dialing = dialTimeoutMs === undefined ? undefined : setTimeout(late, dialTimeoutMs);
    const leave = (): void => void sent.destroy(new Error("aborted"));
    sent.once("socket", (socket: Socket) => {
      if (!socket.connecting) return clearTimeout(dialing);
      socket.once(isTls ? "secureConnect" : "connect", () => clearTimeout(dialing));
    });
    sent.once("close", () => {
      clearTimeout(dialing);
      gone.removeEventListener("abort", leave);
    });
    sent.once("response", (answer) => resolve({ answer }));
    sent.once("upgrade", (answer, upgraded, head) => resolve({ answer, upgraded, head }));
    // It may come after the answer, too: where that does not wait for the body.
    sent.on("error", reject);
    if (gone.aborted) leave();
    else gone.addEventListener("abort", leave, { once: true });
    if (hasBody) request.pipe(sent);
    else sent.end();
  });
}

function bodyOf(request: Received): boolean {
  if ("stream" in request) return !request.stream.endAfterHeaders;
  const { "content-length": length = "0", "transfer-encoding": encoding } = request.headers;
  return length !== "0" || encoding !== undefined;
}

/** An answer on a connection that a client wants to turn into something else; who does that detaches it. */
export function upgradeResponse(request: IncomingMessage, socket: Socket, head: Buffer): ServerResponse {
  const response = new ServerResponse(request);
  response.shouldKeepAlive = false;
  response.assignSocket(socket);
  // Whoever reads on finds what came with the request.
  if (head.length > 0) socket.unshift(head);
  response.once("finish", () => socket.end());
  socket.on("error", () => socket.destroy());
  return response;
}

/** What a server behind this one has answered, and from where its connection is another protocol's. */
export interface Upgraded {
  readonly answer: IncomingMessage;
  readonly upgraded: Duplex;
  /** Read after the answer's end. */
  readonly head: Buffer;
}

/** Connects the two ends of a connection whose protocol is theirs now, until one of them ends it. */
export async function joinUpgraded(response: ServerResponse, { answer, upgraded, head }: Upgraded): Promise<void> {
  const { socket } = response;
  if (socket === null || socket.destroyed) return void upgraded.destroy();
  response.detachSocket(socket);
  const lines = Object.entries(answer.headersDistinct).flatMap(([name, values = []]) =>
    values.map((value) => `${name}: ${value}\r\n`),
  );
  socket.write(`HTTP/1.1 101 ${STATUS_CODES[101]}\r\n${lines.join("")}\r\n`);
  if (head.length > 0) socket.write(head);
  for (const end of [socket, upgraded]) end.on("error", () => {});
  socket.pipe(upgraded).pipe(socket);
  // Whoever cuts the connection cuts both halves of it.
  await new Promise((resolve) => [socket, upgraded].forEach((end) => end.once("close", resolve)));
  for (const end of [socket, upgraded]) end.destroy();
}
