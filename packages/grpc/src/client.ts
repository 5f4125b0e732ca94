import { type ClientHttp2Session, type ClientHttp2Stream, constants, type IncomingHttpHeaders } from "node:http2";
import { DeadlineExceeded, Internal, Unavailable } from "@boxship/base";
import { frame, MAX_MESSAGE_BYTES } from "./frame.ts";
import type { Init } from "./message.ts";
import { readMessages, writeFully } from "./message-stream.ts";
import { type Metadata, readStatus } from "./metadata.ts";
import type { Method } from "./method.ts";
import { Code, errorOf, type Status } from "./status.ts";

export interface CallOptions {
  /** @default {} */
  readonly metadata?: Metadata;
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds. @default none */
  readonly timeout?: number;
}

/** A call under way, as its caller sees it. Disposing cancels what is not over. */
export interface ClientCall<Request, Response> extends Disposable {
  /** Messages of the server; ends, or throws how the call failed. Read once. */
  readonly responses: AsyncIterable<Response>;
  /** Resolves when the server takes more. */
  send(request: Init<Request>): Promise<void>;
  /** No more messages will be sent. */
  endRequests(): void;
  /** The stream itself, for who frames messages by itself. Do not mix with the above. */
  readonly stream: ClientHttp2Stream;
  /** Resolves at the call's good end, rejects with how it failed. */
  readonly ended: Promise<void>;
}

export interface GrpcClientOptions {
  /** @default localhost: what grpc-go sends on sockets; Node's servers reset streams without one */
  readonly authority?: string;
  /** @default http */
  readonly scheme?: "http" | "https";
  /** Largest message that is taken. @default {@link MAX_MESSAGE_BYTES} */
  readonly maxMessageBytes?: number;
  /** Whether errors that the server tells are in its words alone, for who shows them to users. @default false: the method is named first */
  readonly isPlain?: boolean;
}

/** Calls methods on a connection that has become HTTP/2, on which the other side serves. */
export class GrpcClient {
  readonly #session: ClientHttp2Session;
  readonly #options: Required<GrpcClientOptions>;

  constructor(session: ClientHttp2Session, options: GrpcClientOptions = {}) {
    this.#session = session;
    this.#options = {
      authority: "localhost",
      scheme: "http",
      maxMessageBytes: MAX_MESSAGE_BYTES,
      isPlain: false,
      ...options,
    };
    session.on("error", () => {});
  }

  /** One message out, one in. */
  async unary<Request, Response>(
    method: Method<Request, Response>,
    request: Init<Request>,
    options: CallOptions = {},
  ): Promise<Response> {
    using call = this.call(method, options);
    // How the call ends is thrown by reading.
    call.send(request).catch(() => {});
    call.endRequests();
    let answer: Response | undefined;
    for await (const response of call.responses) answer ??= response;
    if (answer === undefined) throw new Internal(`${method.path}: the answer is missing`);
    return answer;
  }

  /** Any number of messages in both directions. */
  call<Request, Response>(method: Method<Request, Response>, options: CallOptions = {}): ClientCall<Request, Response> {
    if (this.#session.closed || this.#session.destroyed)
      throw new Unavailable(`${method.path}: the connection is gone`);
    options.signal?.throwIfAborted();
    return new Call(this.#session, method, options, this.#options);
  }
}

class Call<Request, Response> implements ClientCall<Request, Response> {
  readonly stream: ClientHttp2Stream;
  readonly ended: Promise<void>;
  readonly #method: Method<Request, Response>;
  readonly #maxMessageBytes: number;
  readonly #isPlain: boolean;
  #abort: (reason: unknown) => void = () => {};

  constructor(
    session: ClientHttp2Session,
    method: Method<Request, Response>,
    options: CallOptions,
    { authority, scheme, maxMessageBytes, isPlain }: Required<GrpcClientOptions>,
  ) {
    this.#method = method;
    this.#maxMessageBytes = maxMessageBytes;
    this.#isPlain = isPlain;
    const { timeout } = options;
    const headers: Record<string, string | string[]> = {
      ":method": "POST",
      ":path": method.path,
      ":authority": authority,
      ":scheme": scheme,
      te: "trailers",
      "content-type": "application/grpc",
    };
    if (timeout !== undefined) headers["grpc-timeout"] = timeoutHeader(timeout);
    for (const [name, values] of Object.entries(options.metadata ?? {})) headers[name] = [...values];
    this.stream = session.request(headers, { endStream: false });
    this.stream.on("error", () => {});
    this.ended = this.#watch(options.signal, timeout);
    this.ended.catch(() => {});
  }

  get responses(): AsyncIterable<Response> {
    return this.#read();
  }

  send(request: Init<Request>): Promise<void> {
    return writeFully(this.stream, frame(this.#method.request.encode(request)));
  }

  endRequests(): void {
    if (!this.stream.writableEnded) this.stream.end();
  }

  [Symbol.dispose](): void {
    this.#abort(new DOMException(`${this.#method.path} was given up`, "AbortError"));
  }

  async *#read(): AsyncGenerator<Response> {
    try {
      yield* readMessages(this.stream, this.#method.response, this.#maxMessageBytes);
    } catch (error) {
      // A stream that was cut is told by its end; a message that is refused, by itself.
      this.#abort(error);
    }
    await this.ended;
  }

  #watch(signal: AbortSignal | undefined, timeout: number | undefined): Promise<void> {
    const { path } = this.#method;
    const { stream } = this;
    return new Promise((resolve, reject) => {
      let status: Init<Status> | undefined;
      let reason: unknown;
      let timer: NodeJS.Timeout | undefined;
      const onAbort = () => this.#abort(signal?.reason);
      const look = (headers: IncomingHttpHeaders) => {
        status ??= readStatus(headers) ?? httpFailure(headers);
      };
      stream.on("response", look);
      stream.on("trailers", look);
      this.#abort = (why) => {
        if (stream.closed) return;
        reason ??= why;
        stream.close(constants.NGHTTP2_CANCEL);
      };
      if (timeout !== undefined) {
        timer = setTimeout(() => this.#abort(new DeadlineExceeded(`${path} took longer than ${timeout} ms`)), timeout);
        timer.unref();
      }
      signal?.addEventListener("abort", onAbort, { once: true });
      const settle = () => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", onAbort);
        this.#abort = () => {};
        if (reason !== undefined) reject(reason);
        else if (status === undefined) reject(new Unavailable(`${path}: the connection was cut`));
        else if (status.code !== Code.ok) reject(errorOf(status, path, this.#isPlain));
        else resolve();
      };
      stream.once("close", settle);
      // The server is done; what we had to say does not matter any more.
      stream.once("end", () => {
        if (!stream.writableFinished) stream.close(constants.NGHTTP2_CANCEL);
      });
    });
  }
}

function timeoutHeader(milliseconds: number): string {
  return milliseconds < 100_000_000 ? `${Math.ceil(milliseconds)}m` : `${Math.ceil(milliseconds / 1000)}S`;
}

/** An answer that is not gRPC's. */
function httpFailure(headers: IncomingHttpHeaders): Init<Status> | undefined {
  const status = headers[":status"] as number | string | undefined;
  if (status === undefined || Number(status) === 200) return undefined;
  return { code: Code.unavailable, message: `HTTP status ${status}` };
}
