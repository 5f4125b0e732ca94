import type { Descriptor } from "../descriptor.ts";
import type { Reference } from "../reference.ts";
import type { Endpoint } from "./endpoints.ts";
import { connectionError, isTransientFailure, isTransientStatus, replyError, wrongContent } from "./failures.ts";
import { NetworkFailure } from "./http.ts";
import type { Retries } from "./retry.ts";
import type { ApiRequest, Exchange, Session } from "./session.ts";
import type { RelayReply } from "./transfer.ts";

/** A blob of a registry, to be passed on to another. */
export interface BlobOrigin {
  /** All of it in memory, verified; only for small ones. */
  read(): Promise<Uint8Array>;
  /**
   * Lets an exchange send it on. An answer without an upload asks for another range than the server has.
   *
   * @throws what the registry answers, while nothing was sent; InvalidArgument for content that is not what it should be
   */
  relay(exchange: Exchange<RelayReply>, signal: AbortSignal | undefined): Promise<Relayed>;
}

export interface Relayed {
  readonly reply: RelayReply;
  /** Why not all of it came. */
  readonly error?: Error;
}

export interface RelayedBlob {
  readonly reference: Reference;
  readonly descriptor: Descriptor;
  readonly request: ApiRequest;
}

/** One exchange at the first place that answers it. */
export function relayFrom(
  session: Session,
  blob: RelayedBlob,
  exchange: Exchange<RelayReply>,
  signal: AbortSignal | undefined,
): Promise<Relayed> {
  return session.anywhere(blob.reference, signal, async (endpoint) => {
    const retries = session.retries(endpoint);
    for (;;) {
      const reply = await begun(session, endpoint, blob, exchange, retries, signal);
      if (reply !== undefined) return relayed(endpoint, blob, reply);
    }
  });
}

/** An answer that something can be done with; undefined to try again. */
async function begun(
  session: Session,
  endpoint: Endpoint,
  { request }: RelayedBlob,
  exchange: Exchange<RelayReply>,
  retries: Retries,
  signal: AbortSignal | undefined,
): Promise<RelayReply | undefined> {
  let reply: RelayReply;
  try {
    reply = await session.perform(endpoint, request, exchange, signal);
  } catch (error) {
    if (!(error instanceof NetworkFailure)) throw error;
    if (isTransientFailure(error) && (await retries.next(undefined, signal))) return undefined;
    throw connectionError(endpoint.host, error, request.asked.reference);
  }
  signal?.throwIfAborted();
  const { upload, failure, status, headers } = reply;
  const answered = upload !== undefined || (failure !== undefined && status !== 0) || status === 416;
  if (answered) return reply;
  const network = failure && new NetworkFailure(failure.code, failure.message);
  const transient = network === undefined ? isTransientStatus(status) : isTransientFailure(network);
  if (transient && (await retries.next(headers["retry-after"], signal))) return undefined;
  if (network !== undefined) throw connectionError(endpoint.host, network, request.asked.reference);
  throw replyError(endpoint.host, reply, request.asked);
}

/** Codes of failures that mean another content, not a bad connection. */
const WRONG_CONTENT: ReadonlySet<string> = new Set(["ESIZE", "EDIGEST"]);

function relayed({ host }: Endpoint, { descriptor, request }: RelayedBlob, reply: RelayReply): Relayed {
  const { failure } = reply;
  if (failure === undefined) return { reply };
  if (WRONG_CONTENT.has(failure.code)) throw wrongContent(host, descriptor.digest, failure.message);
  const network = new NetworkFailure(failure.code, failure.message);
  return { reply, error: connectionError(host, network, request.asked.reference) };
}
