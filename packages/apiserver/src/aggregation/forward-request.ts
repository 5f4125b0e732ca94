import { type IncomingHttpHeaders, type IncomingMessage, type OutgoingHttpHeaders, STATUS_CODES } from "node:http";
import { type Agent, request as sendRequest } from "node:https";
import type { Duplex } from "node:stream";
import { pipeline } from "node:stream/promises";
import { failure } from "@boxship/api";
import { errorMessage } from "@boxship/base";
import type { User } from "../contract.ts";
import type { Incoming } from "../http/read-body.ts";
import { errorReply, type StreamReply } from "../http/reply.ts";
import { type Outgoing, sendReply } from "../http/send-reply.ts";

export interface ForwardTarget {
  /** Scheme, host and port. */
  readonly origin: string;
  /** Of the Host header. */
  readonly host: string;
  readonly agent: Agent;
}

export interface ForwardOptions {
  readonly user: User;
  /** For all of the answer, or until it begins where it is a watch. */
  readonly timeoutMs: number;
  readonly watch: boolean;
}

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

/** Who asks is what we say, and nothing that a caller says; credentials are ours alone. */
const OWN = /^(?::|x-remote-|impersonate-|authorization$|cookie$|host$|x-forwarded-)/;

/** Passes a request on to another server of the API, and its answer back, as they come. */
export function forwardRequest(request: Incoming, target: ForwardTarget, options: ForwardOptions): StreamReply {
  return { stream: (response) => forward(request, response, target, options) };
}

async function forward(
  request: Incoming,
  response: Outgoing,
  target: ForwardTarget,
  options: ForwardOptions,
): Promise<void> {
  const { timeoutMs, watch } = options;
  const ending = new AbortController();
  const late = setTimeout(() => ending.abort(TIMED_OUT), timeoutMs);
  const gone = (): void => ending.abort(CLIENT_GONE);
  response.once("close", gone);
  try {
    const asked = await ask(request, target, options, ending.signal);
    if (watch || "upgraded" in asked) clearTimeout(late);
    if ("upgraded" in asked) return await join(response, asked);
    const { answer } = asked;
    response.writeHead(answer.statusCode ?? 502, returned(answer.headers));
    // Headers of a watch are wanted before its first event.
    if (watch) response.flushHeaders?.();
    await pipeline(answer, response);
  } catch (error) {
    if (ending.signal.reason === CLIENT_GONE || response.destroyed) return;
    if (response.headersSent) response.destroy();
    else await sendReply(response, errorReply(unreachable(error, ending.signal)), PLAIN);
  } finally {
    clearTimeout(late);
    response.off("close", gone);
    request.unpipe?.();
    request.resume();
  }
}

const TIMED_OUT = Symbol("timed out");
const CLIENT_GONE = Symbol("client gone");
const PLAIN = { head: false, gzip: false, encoding: "json", warnings: [], headers: {} } as const;

function unreachable(error: unknown, { reason }: AbortSignal): Error {
  if (reason === TIMED_OUT)
    return failure("Timeout", "the server of this API did not answer in time", { retryAfterSeconds: 1 });
  return failure("ServiceUnavailable", `error trying to reach service: ${errorMessage(error)}`);
}

/** An answer, or another protocol on the connection from here on. */
type Asked =
  | { readonly answer: IncomingMessage }
  | { readonly answer: IncomingMessage; readonly upgraded: Duplex; readonly head: Buffer };

/** Connects the two ends of a connection whose protocol is theirs now, until one of them ends it. */
async function join(
  response: Outgoing,
  { answer, upgraded, head }: Extract<Asked, { readonly upgraded: Duplex }>,
): Promise<void> {
  const { socket } = response;
  if (socket === null) return void upgraded.destroy();
  response.detachSocket(socket);
  const lines = Object.entries(answer.headersDistinct).flatMap(([name, values = []]) =>
    values.map((value) => `${name}: ${value}\r\n`),
  );
  socket.write(`HTTP/1.1 101 ${STATUS_CODES[101]}\r\n${lines.join("")}\r\n`);
  if (head.length > 0) socket.write(head);
  upgraded.on("error", () => {});
  socket.pipe(upgraded).pipe(socket);
  // Whoever cuts the connection cuts both halves of it.
  await new Promise((resolve) => [socket, upgraded].forEach((end) => end.once("close", resolve)));
  for (const end of [socket, upgraded]) end.destroy();
}

function ask(
  request: Incoming,
  { origin, host, agent }: ForwardTarget,
  { user }: ForwardOptions,
  signal: AbortSignal,
): Promise<Asked> {
  return new Promise((resolve, reject) => {
    const { method = "GET", url = "/" } = request;
    const { upgrade } = request.headers;
    const changing = "upgrade" in request && request.upgrade === true ? { connection: "Upgrade", upgrade } : {};
    const headers: OutgoingHttpHeaders = { ...passed(request), ...identity(user), host, ...changing };
    const sent = sendRequest(`${origin}${url}`, { method, agent, headers });
    const abort = (): void => void sent.destroy(new Error("aborted"));
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort, { once: true });
    sent.once("response", (answer) => resolve({ answer }));
    sent.once("upgrade", (answer, upgraded, head) => resolve({ answer, upgraded, head }));
    sent.once("error", reject);
    if (method === "GET" || method === "HEAD") sent.end();
    else request.pipe(sent);
  });
}

function passed({ headers, socket }: Incoming): OutgoingHttpHeaders {
  const named = new Set((headers.connection ?? "").split(",").map((one) => one.trim().toLowerCase()));
  const kept = Object.entries(headers).filter(([name]) => !HOP_BY_HOP.has(name) && !OWN.test(name) && !named.has(name));
  const { remoteAddress } = socket;
  return {
    ...(Object.fromEntries(kept) as OutgoingHttpHeaders),
    ...(remoteAddress === undefined ? {} : { "x-forwarded-for": remoteAddress }),
    "x-forwarded-proto": "https",
  };
}

/** Who asks, as extension servers read it from a caller with the certificate of the front proxy. */
export function identity({ name, uid, groups, extra = {} }: User): OutgoingHttpHeaders {
  return {
    "X-Remote-User": name,
    ...(uid === undefined ? {} : { "X-Remote-Uid": uid }),
    "X-Remote-Group": [...groups],
    ...Object.fromEntries(
      Object.entries(extra).map(([key, values]) => [`X-Remote-Extra-${encodeURIComponent(key)}`, [...values]]),
    ),
  };
}

function returned(headers: IncomingHttpHeaders): OutgoingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !HOP_BY_HOP.has(name)));
}
