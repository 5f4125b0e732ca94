import type { OutgoingHttpHeaders } from "node:http";
import type { Agent } from "node:https";
import { pipeline } from "node:stream/promises";
import { failure } from "@boxship/api";
import { errorMessage } from "@boxship/base";
import { joinUpgraded, passedHeaders, sendOn } from "@boxship/base/pass-on";
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

/** Who asks is what we say, and nothing that a caller says; credentials are ours alone. */
const OWN = /^(?:x-remote-|impersonate-|authorization$|cookie$|host$|x-forwarded-)/;

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
    const { origin, host, agent } = target;
    const { hostname, port } = new URL(origin);
    const asked = await sendOn(request, {
      isTls: true,
      hostname: hostname.replace(/^\[(.*)\]$/, "$1"),
      port,
      path: request.url ?? "/",
      agent,
      headers: { ...passed(request), ...identity(options.user), host },
      gone: ending.signal,
    });
    if (watch || "upgraded" in asked) clearTimeout(late);
    if ("upgraded" in asked) return await joinUpgraded(response, asked);
    const { answer } = asked;
    response.writeHead(answer.statusCode ?? 502, passedHeaders(answer.headers));
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

function passed({ headers, socket }: Incoming): OutgoingHttpHeaders {
  const kept = Object.entries(passedHeaders(headers)).filter(([name]) => !OWN.test(name));
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
