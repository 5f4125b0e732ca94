import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type IncomingHttpHeaders,
  type SecureClientSessionOptions,
} from "node:http2";
import { errorMessage, systemCode, Unavailable } from "@boxship/base";
import type { ClientIdentity, ConnectionOptions } from "./options.ts";

const DIAL_TIMEOUT = 10_000;
/** A server that is cut off from us closes nothing: it is asked now and then whether it is there. */
const PING_INTERVAL = 15_000;
const PING_TIMEOUT = 10_000;
/** A list may be long; the default of 64 KiB makes the server wait for us after every other packet. */
const STREAM_WINDOW = 1 << 20;
const CONNECTION_WINDOW = 16 << 20;
/** Megabytes that may wait; Node's default of 10 ends streams of large lists. */
const SESSION_MEMORY = 512;

export interface HttpRequest {
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface HttpReply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Its bytes; the reader's to end. */
  readonly stream: ClientHttp2Stream;
}

/** One HTTP/2 connection to a server, made when it is needed and again when it is lost. */
export class Connection implements Disposable {
  readonly #server: URL;
  readonly #options: ConnectionOptions;
  #session: Promise<ClientHttp2Session> | undefined;
  /** What the connection was made with. */
  #identity: ClientIdentity | undefined;
  #closed = false;

  constructor(options: ConnectionOptions) {
    this.#server = new URL(options.server);
    this.#options = options;
  }

  /** Resolves with the head of the answer. @throws Unavailable */
  async send(request: HttpRequest): Promise<HttpReply> {
    request.signal?.throwIfAborted();
    const session = await this.#open();
    try {
      return await this.#sendOn(session, request);
    } catch (error) {
      if (!(error instanceof Unavailable && wasRefused(error.cause))) throw error;
    }
    // A connection that is on its way out has not looked at the request (RFC 9113, 8.7): it is sent on a new one.
    session.close();
    return await this.#sendOn(await this.#open(), request);
  }

  #sendOn(session: ClientHttp2Session, { method, path, headers, body, signal }: HttpRequest): Promise<HttpReply> {
    const prefix = this.#server.pathname.replace(/\/$/, "");
    const head = { ":method": method, ":path": `${prefix}${path}`, ...this.#authorization(), ...headers };
    let stream: ClientHttp2Stream;
    try {
      stream = session.request(head, { endStream: body === undefined });
    } catch (error) {
      return Promise.reject(this.#lost(error));
    }
    if (body !== undefined) stream.end(body);
    return new Promise((resolve, reject) => {
      const abort = () => {
        stream.close(constants.NGHTTP2_CANCEL);
        reject(signal?.reason);
      };
      signal?.addEventListener("abort", abort, { once: true });
      stream.once("close", () => signal?.removeEventListener("abort", abort));
      stream.on("error", (error) => reject(this.#lost(error)));
      stream.once("close", () => reject(this.#lost(new Error("the connection was cut"))));
      stream.once("response", (answer) => resolve({ status: answer[":status"] ?? 0, headers: answer, stream }));
    });
  }

  #authorization(): Readonly<Record<string, string>> {
    const { token } = this.#options;
    return token === undefined ? {} : { authorization: `Bearer ${token}` };
  }

  async #open(): Promise<ClientHttp2Session> {
    if (this.#closed) throw new Unavailable("the client is closed");
    this.#session ??= this.#dial();
    const opening = this.#session;
    try {
      const session = await opening;
      if (!session.closed && !session.destroyed) {
        if (this.#identity?.certificate === this.#options.identity?.().certificate) return session;
        // What is under way ends on it.
        session.close();
      }
    } catch (error) {
      if (this.#session === opening) this.#session = undefined;
      throw this.#lost(error);
    }
    if (this.#session === opening) this.#session = undefined;
    return await this.#open();
  }

  #lost(error: unknown): Unavailable {
    return new Unavailable(`the API at ${this.#server.host} does not answer: ${errorMessage(error)}`, {
      cause: error,
      remedy: "check that it runs, and the address and certificates that it is reached by",
    });
  }

  #dial(): Promise<ClientHttp2Session> {
    const { authority, serverName, insecure = false, createConnection } = this.#options;
    this.#identity = this.#options.identity?.();
    const { certificate, key } = this.#identity ?? this.#options;
    const tls: SecureClientSessionOptions = {
      ...(authority !== undefined && { ca: authority }),
      ...(certificate !== undefined && { cert: certificate }),
      ...(key !== undefined && { key }),
      ...(serverName !== undefined && { servername: serverName }),
      rejectUnauthorized: !insecure,
    };
    return new Promise((resolve, reject) => {
      const session = connect(this.#server.origin, {
        ...tls,
        ...(createConnection !== undefined && { createConnection }),
        settings: { initialWindowSize: STREAM_WINDOW, enablePush: false },
        maxSessionMemory: SESSION_MEMORY,
      });
      const fail = (error: Error) => {
        clearTimeout(timer);
        session.destroy();
        reject(error);
      };
      const timer = setTimeout(() => fail(new Error(`no answer within ${DIAL_TIMEOUT} ms`)), DIAL_TIMEOUT);
      session.once("error", fail);
      session.once("connect", () => {
        clearTimeout(timer);
        session.off("error", fail).on("error", () => {});
        session.setLocalWindowSize(CONNECTION_WINDOW);
        const pinging = setInterval(() => ping(session), PING_INTERVAL).unref();
        session.once("close", () => clearInterval(pinging));
        resolve(session);
      });
    });
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    void this.#session?.then(
      (session) => session.destroy(),
      () => {},
    );
  }
}

function wasRefused(cause: unknown): boolean {
  if (systemCode(cause) === "ERR_HTTP2_INVALID_SESSION" || systemCode(cause) === "ERR_HTTP2_GOAWAY_SESSION")
    return true;
  return errorMessage(cause).includes("NGHTTP2_REFUSED_STREAM");
}

function ping(session: ClientHttp2Session): void {
  const late = setTimeout(() => session.destroy(), PING_TIMEOUT).unref();
  if (session.destroyed || !session.ping(() => clearTimeout(late))) clearTimeout(late);
}
