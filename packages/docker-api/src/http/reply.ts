import type { ServerResponse } from "node:http";
import { DeadlineExceeded } from "@boxship/base";
import type { ApiCall } from "./call.ts";
import { toWireError } from "./error-mapper.ts";
import type { Reply } from "./route.ts";

/** Sends a whole answer. */
export function sendReply(response: ServerResponse, reply: Reply): void {
  const { status, headers } = reply;
  if (headers !== undefined) for (const name of Object.keys(headers)) response.setHeader(name, headers[name] ?? "");
  const body = bodyOf(reply);
  if (body === undefined) {
    response.writeHead(status, status === 204 || status === 304 ? {} : { "Content-Length": "0" });
    response.end();
    return;
  }
  const type = reply.text === undefined ? "application/json" : "text/plain; charset=utf-8";
  response.writeHead(status, { "Content-Type": type, "Content-Length": String(Buffer.byteLength(body)) });
  response.end(body);
}

function bodyOf(reply: Reply): string | undefined {
  if (reply.text !== undefined) return reply.text;
  return reply.json === undefined ? undefined : `${JSON.stringify(reply.json)}\n`;
}

/**
 * Sends an error. Once an answer has begun its status is out: then the stream is cut, so that the client does not take
 * what it has for the whole (streams of JSON report the error in-band before they come here).
 */
export function sendError(call: ApiCall, thrown: unknown): void {
  const { response } = call;
  if (call.hijacked || response.destroyed) return;
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const { status, body } = toWireError(thrown);
  for (const name of ["Content-Length", "Transfer-Encoding"]) response.removeHeader(name);
  const unread = !call.request.complete;
  // A client that has stopped sending will not read either.
  if (unread && thrown instanceof DeadlineExceeded) response.setHeader("Connection", "close");
  else if (unread) passOver(call);
  sendReply(response, { status, json: body });
}

/** How long the rest of a refused body is read. */
const REST_TIMEOUT_MS = 30_000;

/**
 * Reads the rest of a body that nobody wants. Most clients send all of it before they read the answer: if the connection
 * were closed under them they would tell of a broken pipe, and not why they were refused.
 */
function passOver({ request, response, context }: ApiCall): void {
  const timer = context.clock.setTimeout(REST_TIMEOUT_MS, () => request.socket.destroy());
  const done = () => timer[Symbol.dispose]();
  request.once("end", done).once("close", done);
  response.once("finish", () => request.resume());
}
