import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import { dialWords } from "@boxship/base";
import { joinUpgraded, passedHeaders, sendOn } from "@boxship/base/pass-on";
import type { ConnectionOptions } from "@boxship/client";
import { authorizationOf, tlsOf, urlOf } from "./web-socket.ts";

/** Passes a request on to a server of the API, and its answer back, as they come, whatever protocol it becomes. */
export async function passOn(
  options: ConnectionOptions,
  own: OutgoingHttpHeaders,
  { request, response, path }: { request: IncomingMessage; response: ServerResponse; path: string },
): Promise<void> {
  const gone = new AbortController();
  response.once("close", () => gone.abort());
  const { protocol, hostname, host, port, pathname, search } = new URL(urlOf(options, path));
  const through = [request.headers["x-forwarded-for"], request.socket.remoteAddress].filter(Boolean).join(", ");
  const headers = {
    ...authorizationOf(options),
    ...passedHeaders(request.headers),
    ...own,
    host,
    ...(through === "" ? {} : { "x-forwarded-for": through }),
  };
  const isTls = protocol === "https:";
  const to = { hostname: hostname.replace(/^\[(.*)\]$/, "$1"), port: Number(port || (isTls ? 443 : 80)) };
  try {
    const target = { path: `${pathname}${search}`, ...to, ...(isTls ? tlsOf(options) : {}) };
    const answered = await sendOn(request, { isTls, ...target, headers, gone: gone.signal, agent: false });
    if ("upgraded" in answered) return await joinUpgraded(response, answered);
    const { answer } = answered;
    response.writeHead(answer.statusCode ?? 502, passedHeaders(answer.headers));
    response.flushHeaders();
    await pipeline(answer, response);
  } catch (error) {
    if (response.headersSent) return void response.destroy();
    response.writeHead(502).end(`${dialWords(error, { network: "tcp", host: to.hostname, port: to.port })}\n`);
  }
}
