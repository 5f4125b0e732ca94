import { constants, type IncomingHttpHeaders, type ServerHttp2Session, type ServerHttp2Stream } from "node:http2";
import { DeadlineExceeded, InvalidArgument, Unsupported } from "@boxship/base";
import { frame } from "./frame.ts";
import type { Init } from "./message.ts";
import { readMessages, writeFully } from "./message-stream.ts";
import { type Metadata, readMetadata, readTimeout, statusTrailers } from "./metadata.ts";
import type { Method } from "./method.ts";
import { Code, type ErrorDetail, type Status, statusOf } from "./status.ts";

/** How long a client may go on sending after it was answered. */
const LINGER_MS = 2000;

/** One call, as its handler sees it. */
export interface ServerCall<Request, Response> {
  readonly metadata: Metadata;
  /** Aborted when the client gives up, its time is over, or the connection is gone. */
  readonly signal: AbortSignal;
  /** Messages of the client, until it is done. Read once. */
  readonly requests: AsyncIterable<Request>;
  /** Sends one message; resolves when the client takes more. Rejects when it is gone. */
  send(response: Init<Response>): Promise<void>;
}

/** What serves a method. A unary one answers with its one message; the others send on the call. */
export interface Handler {
  readonly path: string;
  readonly run: (call: ServerCall<unknown, unknown>) => Promise<void>;
  readonly method: Method<unknown, unknown>;
}

/** One message in, one out. */
export function unary<Request, Response>(
  method: Method<Request, Response>,
  answer: (request: Request, call: ServerCall<Request, Response>) => Promise<Init<Response>>,
): Handler {
  return streaming(method, async (call) => {
    await call.send(await answer(await onlyRequest(call, method.path), call));
  });
}

/** Any number of messages in both directions; the call ends with the handler. */
export function streaming<Request, Response>(
  method: Method<Request, Response>,
  run: (call: ServerCall<Request, Response>) => Promise<void>,
): Handler {
  return { path: method.path, method, run } as unknown as Handler;
}

/** The one message of a client that sends no more. */
export async function onlyRequest<Request>(call: ServerCall<Request, unknown>, path: string): Promise<Request> {
  for await (const request of call.requests) return request;
  throw new InvalidArgument(`${path}: the request is missing`);
}

export interface ServeOptions {
  /** Parts of an error that its message does not have, as clients read them. @default none */
  readonly describe?: (error: unknown) => readonly ErrorDetail[];
  /** Which code is told of an error. @default the error's own */
  readonly code?: (path: string, code: number) => number;
  /** Hears of errors that are nobody's fault but ours. */
  readonly onError?: (path: string, error: unknown) => void;
}

/**
 * Serves gRPC on a connection that has become HTTP/2. Calls that are not known are refused by name. Errors of handlers
 * are the client's.
 */
export function serveGrpc(session: ServerHttp2Session, handlers: readonly Handler[], options: ServeOptions = {}): void {
  const table = new Map(handlers.map((handler) => [handler.path, handler]));
  // The connection's end is seen by its streams; without a listener it would be an uncaught exception.
  session.on("error", () => {});
  session.on("stream", (stream, headers) => {
    stream.on("error", () => {});
    void serveCall(stream, headers, table, options);
  });
}

async function serveCall(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  table: ReadonlyMap<string, Handler>,
  options: ServeOptions,
): Promise<void> {
  if (!(headers["content-type"] ?? "").startsWith("application/grpc")) {
    stream.respond({ ":status": 415 }, { endStream: true });
    return;
  }
  const path = headers[":path"] ?? "";
  const controller = new AbortController();
  stream.once("close", () => controller.abort(new DOMException("the client has gone", "AbortError")));
  const timeout = readTimeout(headers);
  const timer =
    timeout === undefined
      ? undefined
      : setTimeout(() => controller.abort(new DeadlineExceeded(`${path} took longer than ${timeout} ms`)), timeout);
  timer?.unref();
  const answer = new Answer(stream);
  try {
    await untilAborted(runCall(path, stream, headers, table, controller.signal, answer), controller.signal);
    answer.end({ code: Code.ok });
  } catch (error) {
    const status = statusOf(error, options.describe?.(error));
    const { code = Code.unknown } = status;
    if (code === Code.internal && !controller.signal.aborted) options.onError?.(path, error);
    answer.end({ ...status, code: options.code?.(path, code) ?? code });
  } finally {
    clearTimeout(timer);
    controller.abort();
  }
}

async function runCall(
  path: string,
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  table: ReadonlyMap<string, Handler>,
  signal: AbortSignal,
  answer: Answer,
): Promise<void> {
  const handler = table.get(path);
  if (handler === undefined) throw new Unsupported(`method ${path} is not supported`);
  const encoding = String(headers["grpc-encoding"] ?? "identity");
  if (encoding !== "identity") throw new Unsupported(`message encoding ${encoding} is not supported`);
  const { method } = handler;
  await handler.run({
    metadata: readMetadata(headers),
    signal,
    requests: readMessages(stream, method.request),
    send: (response) => answer.send(method.response.encode(response)),
  });
}

/** Settles when the signal is aborted, although the handler takes longer to notice. */
function untilAborted(task: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    task.then(resolve, reject);
    signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
  });
}

/** The server's half of a stream. */
class Answer {
  readonly #stream: ServerHttp2Stream;
  #trailers = statusTrailers({ code: Code.ok });

  constructor(stream: ServerHttp2Stream) {
    this.#stream = stream;
  }

  send(message: Uint8Array): Promise<void> {
    if (this.#stream.destroyed) return Promise.reject(new DOMException("the client has gone", "AbortError"));
    if (!this.#stream.headersSent) {
      this.#stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
      this.#stream.once("wantTrailers", () => this.#stream.sendTrailers(this.#trailers));
    }
    return writeFully(this.#stream, frame(message));
  }

  end(status: Init<Status>): void {
    const stream = this.#stream;
    if (stream.destroyed || stream.closed) return;
    this.#trailers = statusTrailers(status);
    if (stream.headersSent) stream.end();
    else stream.respond({ ":status": 200, "content-type": "application/grpc", ...this.#trailers }, { endStream: true });
    if (!stream.readableEnded) dismiss(stream);
  }
}

/** What the client still sends is nobody's any more; one that does not notice the answer is cut. */
function dismiss(stream: ServerHttp2Stream): void {
  stream.resume();
  const timer = setTimeout(() => stream.close(constants.NGHTTP2_NO_ERROR), LINGER_MS);
  timer.unref();
  stream.once("close", () => clearTimeout(timer));
}
