import type { IncomingMessage, OutgoingHttpHeaders } from "node:http";
import { constants, type ServerHttp2Stream } from "node:http2";
import type { Duplex } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip, createGzip, constants as zlib } from "node:zlib";
import { failure } from "@boxship/api";
import { DeadlineExceeded, dialWords, hostAndPort } from "@boxship/base";
import { type Answered, joinUpgraded, passedHeaders, sendOn, wantsUpgrade } from "@boxship/base/pass-on";
import type { ResourceInfo } from "../../contract.ts";
import type { Incoming } from "../../http/read-body.ts";
import { errorReply, type StreamReply } from "../../http/reply.ts";
import { type Outgoing, sendReply } from "../../http/send-reply.ts";
import type { ProxyTarget } from "./proxy-target.ts";
import { type LinkBase, linkRewriter, rewriteLink } from "./rewrite-links.ts";

/** Until a pod has accepted the connection. */
const DIAL_TIMEOUT_MS = 30_000;
/** Bytes of the head of an answer. */
const LARGEST_HEAD = 1 << 20;

/** Who asks, and with what, is between the client and this server. */
const OURS = /^(?:authorization|impersonate-.*|x-remote-.*|expect)$/;
/** Which pages may read answers of this server is not for those behind it to say. */
const CORS = /^access-control-allow-(?:credentials|headers|methods|origin)$/;

interface Passing {
  readonly request: Incoming;
  readonly target: ProxyTarget;
  /** Of the request, from the slash on that follows the proxy's word, encoded. */
  readonly path: string;
  /** With its question mark. */
  readonly search: string;
  readonly base: LinkBase;
  /** Of the client's end. */
  readonly gone: AbortSignal;
}

/** Passes a request on to a pod, and its answer back, as they come; for as long as both ends want it. */
export function passOn(target: ProxyTarget, info: ResourceInfo): StreamReply {
  return {
    async stream(response) {
      const request = response.req as Incoming;
      const { namespace, resource, name, path = "" } = info;
      const prefix = encodeURI(`/api/v1/namespaces/${namespace}/${resource}/${name}/proxy`);
      const { search } = new URL(request.url ?? "/", "http://x");
      const method = request.method ?? "GET";
      if (path === "" && !wantsUpgrade(request) && (method === "GET" || method === "HEAD")) {
        // Relative links of what is behind would be wrong without it.
        response.writeHead(301, { location: `${prefix}/${search}`, "content-length": "0" }).end();
        return;
      }
      const asked = hostOf(request);
      const hosts = [hostAndPort(target.address, target.port), asked];
      const base: LinkBase = { prefix, hosts, asked };
      const gone = new AbortController();
      const leave = (): void => gone.abort();
      response.once("close", leave);
      const encoded = encodeURI(path || "/").replace(/[?#]/g, encodeURIComponent);
      try {
        await pass(response, { request, target, path: encoded, search, base, gone: gone.signal });
      } finally {
        response.off("close", leave);
        request.unpipe?.();
        request.resume();
      }
    },
  };
}

async function pass(response: Outgoing, passing: Passing): Promise<void> {
  const { request, gone } = passing;
  try {
    const asked = await ask(passing);
    if ("upgraded" in asked) return await joinUpgraded(response, asked);
    const { answer } = asked;
    const { statusCode: status = 502 } = answer;
    if (wantsUpgrade(request) && status < 400) {
      answer.destroy();
      throw failure("InternalError", `invalid upgrade response: status code ${status}`);
    }
    await answerWith(response, answer, passing);
  } catch (error) {
    if (gone.aborted || response.destroyed) return;
    // Who has seen a part of it sees that it was cut.
    if (response.headersSent) cut(response);
    else await sendReply(response, errorReply(error), { ...PLAIN, head: request.method === "HEAD" });
  }
}

/** By HTTP/2 an end without an error could be taken for the whole. */
function cut(response: Outgoing): void {
  const { stream } = response as unknown as { readonly stream?: ServerHttp2Stream };
  if (stream === undefined) response.destroy();
  else stream.close(constants.NGHTTP2_INTERNAL_ERROR);
}

const PLAIN = { head: false, gzip: false, encoding: "json", warnings: [], headers: {} } as const;

const hostOf = ({ headers }: Incoming): string => headers.host ?? String(headers[":authority"] ?? "");

/** @throws ServiceUnavailable, for an upgrade InternalError */
async function ask({ request, target, path, search, base, gone }: Passing): Promise<Answered> {
  const { isTls, address, port } = target;
  try {
    return await sendOn(request, {
      isTls,
      host: address,
      port,
      path: `${path}${search}`,
      headers: headersFor(request, `${base.prefix}${path}`),
      gone,
      dialTimeoutMs: DIAL_TIMEOUT_MS,
      agent: false,
      maxHeaderSize: LARGEST_HEAD,
      rejectUnauthorized: false,
    });
  } catch (error) {
    const words =
      error instanceof DeadlineExceeded
        ? `dial tcp ${hostAndPort(address, port)}: i/o timeout`
        : dialWords(error, { network: "tcp", host: address, port });
    if (wantsUpgrade(request)) throw failure("InternalError", `error dialing backend: ${words}`);
    throw failure("ServiceUnavailable", `error trying to reach service: ${words}`);
  }
}

function headersFor(request: Incoming, uri: string): OutgoingHttpHeaders {
  const { headers, socket } = request;
  const kept = Object.entries(passedHeaders(headers)).filter(([name]) => !OURS.test(name));
  const through = [headers["x-forwarded-for"], socket.remoteAddress].filter((one) => one !== undefined).join(", ");
  return {
    ...(Object.fromEntries(kept) as OutgoingHttpHeaders),
    host: hostOf(request),
    "x-forwarded-uri": uri,
    ...(through === "" ? {} : { "x-forwarded-for": through }),
  };
}

async function answerWith(response: Outgoing, answer: IncomingMessage, { base, request }: Passing): Promise<void> {
  const kept = Object.entries(passedHeaders(answer.headers)).filter(([name]) => !CORS.test(name));
  const headers = Object.fromEntries(kept) as OutgoingHttpHeaders;
  const { location, "content-encoding": encoding = "" } = answer.headers;
  if (location !== undefined) headers["location"] = rewriteLink(location, base);
  headers["cache-control"] = ["no-cache, private", headers["cache-control"]].filter(Boolean).join(", ");
  const isPage = location === undefined && isHtml(answer) && ["", "gzip"].includes(encoding);
  if (isPage) delete headers["content-length"];
  response.writeHead(answer.statusCode ?? 502, headers);
  response.flushHeaders?.();
  const steps = isPage && request.method !== "HEAD" ? rewriting(base, encoding) : [];
  await pipeline([answer, ...steps, response], { end: false });
  if (Object.keys(answer.trailers).length > 0) response.addTrailers(answer.trailers);
  response.end();
}

/** A part of a page is counted in bytes that rewriting would change. */
const isHtml = ({ headers, statusCode }: IncomingMessage): boolean =>
  statusCode !== 206 && /^\s*text\/html\s*(?:;|$)/i.test(headers["content-type"] ?? "");

function rewriting(base: LinkBase, encoding: string): readonly Duplex[] {
  if (encoding === "") return [linkRewriter(base)];
  return [createGunzip(), linkRewriter(base), createGzip({ flush: zlib.Z_SYNC_FLUSH })];
}
