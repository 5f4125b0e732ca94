import { createReadStream } from "node:fs";
import http, { type IncomingHttpHeaders, type IncomingMessage } from "node:http";
import https from "node:https";
import type { Duplex } from "node:stream";
import { connectLoopback, isLoopbackHost } from "@boxship/base";
import { releaseBytes } from "../layer/release-bytes.ts";

/**
 * One HTTP exchange, without redirects, retries or authentication.
 *
 * On node:http(s): in a measurement of 500 MB from a registry on localhost it was as fast as undici (0.5 s against
 * 0.5 s bare, 1.0 s against 1.1 s hashed and written), it has connection reuse, proxies from the environment and TLS
 * options per agent built in, and it loads nothing in the worker thread that is not there already.
 */
export interface HttpRequest {
  readonly method: HttpMethod;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array | FileContent | StreamedContent | undefined;
  readonly tls: TlsOptions;
  /** Give up when nothing arrives for so long, in milliseconds. */
  readonly idleTimeoutMs: number;
}

export type HttpMethod = "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";

/** A part of a file as a body. */
export interface FileContent {
  readonly path: string;
  readonly start: number;
  /** Behind the last byte. */
  readonly end: number;
  /** Called with the bytes that were read so far, for each piece; only in the same thread. */
  readonly onRead?: (bytes: number) => void;
}

/** Content that somebody else writes into the request, once; only in the same thread. */
export interface StreamedContent {
  readonly length: number;
  /** Writes so many bytes, ends the request, and stops when it closes. */
  readonly pump: (outgoing: http.ClientRequest) => void;
}

/** How a server proves who it is. */
export interface TlsOptions {
  /** @default true */
  readonly verify?: boolean;
  /** PEM certificates trusted besides the system's. */
  readonly ca?: string;
}

export interface HttpResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Must be read to its end or destroyed. */
  readonly body: IncomingMessage;
}

const FILE_PIECE = 256 * 1024;

/** The exchange did not come to its end: connection refused, cut, timed out, certificate not trusted. */
export class NetworkFailure extends Error {
  /** Node's or OpenSSL's name of the failure, e.g. `ECONNREFUSED`. */
  readonly code: string;

  constructor(code: string, message: string, cause?: unknown) {
    super(message, { cause });
    this.name = "NetworkFailure";
    this.code = code;
  }
}

/** Connections that are kept open between requests. Idle ones do not keep the process alive. */
export class HttpConnections implements Disposable {
  readonly #agents = new Map<string, http.Agent>();

  /**
   * Sends a request and resolves with the head of the response.
   *
   * @throws NetworkFailure
   */
  async send(request: HttpRequest, signal?: AbortSignal): Promise<HttpResponse> {
    try {
      return await this.#sendOnce(request, signal);
    } catch (error) {
      // The server may close an idle connection at the moment it is used again.
      if (error instanceof StaleConnection && !isStreamed(request.body)) return this.#sendOnce(request, signal);
      throw error;
    }
  }

  #sendOnce(request: HttpRequest, signal?: AbortSignal): Promise<HttpResponse> {
    const url = new URL(request.url);
    const { body: content } = request;
    const { promise, resolve, reject } = Promise.withResolvers<HttpResponse>();
    const module = url.protocol === "https:" ? https : http;
    const outgoing = module.request(url, {
      method: request.method,
      headers: {
        "accept-encoding": "identity",
        ...request.headers,
        ...(content === undefined ? {} : { "content-length": String(lengthOf(content)) }),
      },
      agent: this.#agent(url, request.tls),
      ...(signal === undefined ? {} : { signal }),
    });
    outgoing.setTimeout(request.idleTimeoutMs);
    outgoing.on("timeout", () => giveUpIdle(outgoing, idle(url, request.idleTimeoutMs)));
    outgoing.on("response", (body) => {
      releaseParsed(body);
      resolve({ status: body.statusCode ?? 0, headers: body.headers, body });
    });
    outgoing.on("error", (error) => {
      if (signal?.aborted) reject(signal.reason);
      else reject(networkFailure(error, outgoing.reusedSocket));
    });
    if (isStreamed(content)) content.pump(outgoing);
    else if (isFile(content)) sendFile(content, outgoing);
    else outgoing.end(content);
    return promise;
  }

  #agent(url: URL, tls: TlsOptions): http.Agent {
    const local = isLoopbackHost(url.hostname);
    const key = JSON.stringify([url.protocol, local, tls.verify ?? true, tls.ca ?? ""]);
    let agent = this.#agents.get(key);
    if (agent === undefined) {
      agent = url.protocol === "https:" ? secureAgent(local, trust(tls)) : plainAgent(local);
      this.#agents.set(key, agent);
    }
    return agent;
  }

  [Symbol.dispose](): void {
    for (const agent of this.#agents.values()) agent.destroy();
    this.#agents.clear();
  }
}

/**
 * Frees what arrives as soon as Node's parser, which listens before us and copies bodies, has seen it: left to V8, a body
 * takes fresh memory to its end. The next answer's parser would listen behind us, so that we are gone by then.
 */
function releaseParsed(body: IncomingMessage): void {
  const { socket } = body;
  const release = (piece: Buffer) => releaseBytes(piece);
  const leave = () => socket.off("data", release);
  socket.on("data", release);
  body.once("end", leave);
  body.once("close", leave);
}

/** Where an engine in a network namespace of its own gets at the machine's loopback; worker threads inherit it. */
const LOOPBACK_DOOR = "BOXSHIP_LOOPBACK_DOOR";

/** Whether this machine's loopback is reached by way of another process. */
export function throughLoopbackDoor(): boolean {
  return process.env[LOOPBACK_DOOR] !== undefined;
}

type Callback = (error: Error | null, socket: Duplex) => void;

function plainAgent(local: boolean): http.Agent {
  const door = process.env[LOOPBACK_DOOR];
  // A proxy cannot reach what is on this machine's loopback.
  if (!local) return new http.Agent({ keepAlive: true, proxyEnv: process.env });
  return door === undefined ? new http.Agent({ keepAlive: true }) : new DoorAgent(door, { keepAlive: true });
}

function secureAgent(local: boolean, options: https.AgentOptions): https.Agent {
  const door = process.env[LOOPBACK_DOOR];
  if (!local) return new https.Agent({ keepAlive: true, proxyEnv: process.env, ...options });
  const own = { keepAlive: true, ...options };
  return door === undefined ? new https.Agent(own) : secureDoorAgent(door, own);
}

class DoorAgent extends http.Agent {
  readonly #door: string;

  constructor(door: string, options: http.AgentOptions) {
    super(options);
    this.#door = door;
  }

  override createConnection(options: http.ClientRequestArgs, callback?: Callback): undefined {
    void connectBy(callback, () => throughDoor(this.#door, options));
  }
}

/** The class is made when it is needed: most programs need no TLS here, and loading it takes a tenth of a start. */
function secureDoorAgent(door: string, agentOptions: https.AgentOptions): https.Agent {
  class SecureDoorAgent extends https.Agent {
    override createConnection(options: https.RequestOptions, callback?: Callback): undefined {
      void connectBy(callback, async () => {
        // It goes to tls.connect, whose options have a socket.
        const socket = await throughDoor(door, options);
        const secured = super.createConnection(Object.assign({}, options, { socket }));
        if (!secured) throw new NetworkFailure("EUNKNOWN", "TLS could not be begun");
        return secured;
      });
    }
  }
  return new SecureDoorAgent(agentOptions);
}

async function connectBy(callback: Callback | undefined, connection: () => Promise<Duplex>): Promise<void> {
  let socket: Duplex;
  try {
    socket = await connection();
  } catch (error) {
    // Node takes an error without a socket, which its types do not know.
    callback?.(error instanceof Error ? error : new Error(String(error)), undefined as unknown as Duplex);
    return;
  }
  callback?.(null, socket);
}

function throughDoor(door: string, { host, port }: http.ClientRequestArgs): Promise<Duplex> {
  return connectLoopback(door, { host: host ?? "", port: Number(port) });
}

function isFile(content: HttpRequest["body"]): content is FileContent {
  return typeof content === "object" && "path" in content;
}

function isStreamed(content: HttpRequest["body"]): content is StreamedContent {
  return typeof content === "object" && "pump" in content;
}

function lengthOf(content: NonNullable<HttpRequest["body"]>): number {
  if (isStreamed(content)) return content.length;
  return isFile(content) ? content.end - content.start : Buffer.byteLength(content);
}

/** Sends part of a file; stops when the server has answered already or the exchange has failed. */
function sendFile({ path, start, end, onRead }: FileContent, outgoing: http.ClientRequest): void {
  if (start === end) {
    outgoing.end();
    return;
  }
  const file = createReadStream(path, { start, end: end - 1, highWaterMark: FILE_PIECE });
  let read = 0;
  file.on("data", (piece) => {
    read += piece.length;
    onRead?.(read);
  });
  file.on("error", (error) => outgoing.destroy(error));
  file.on("end", () => {
    // The server would wait for the rest.
    if (read < end - start) outgoing.destroy(new NetworkFailure("ESHORT", `${path} ends before ${end} bytes`));
  });
  outgoing.on("response", (response) => {
    file.destroy();
    // A server that answers before it has everything closes the connection, which must not be used again.
    if (!outgoing.writableFinished) response.once("end", () => outgoing.destroy());
  });
  outgoing.on("close", () => file.destroy());
  file.pipe(outgoing);
}

function trust(tls: TlsOptions): https.AgentOptions {
  if (tls.verify === false) return { rejectUnauthorized: false };
  const certificates = trustMachine();
  return tls.ca === undefined ? {} : { ca: [...certificates, tls.ca] };
}

let trusted: readonly string[] | undefined;

/**
 * What the machine's administrator trusts counts besides what Node brings along, as for any other program. Once in a
 * thread: it takes some 30 ms.
 */
function trustMachine(): readonly string[] {
  if (trusted !== undefined) return trusted;
  const tls = process.getBuiltinModule("node:tls");
  trusted = [...new Set([...tls.getCACertificates("default"), ...tls.getCACertificates("system")])];
  // A list of its own would be parsed for each connection, this one is parsed once.
  tls.setDefaultCACertificates(trusted);
  return trusted;
}

class StaleConnection extends NetworkFailure {}

/** A thread that a slow disk has held up finds its timers due before it looks at what has arrived meanwhile. */
function giveUpIdle(outgoing: http.ClientRequest, failure: NetworkFailure): void {
  const before = outgoing.socket?.bytesRead;
  setImmediate(() => {
    if (outgoing.socket?.bytesRead === before) outgoing.destroy(failure);
  });
}

function idle(url: URL, milliseconds: number): NetworkFailure {
  return new NetworkFailure("ETIMEDOUT", `nothing arrived from ${url.host} for ${milliseconds / 1000} s`);
}

/** Any failure of a request or of reading a response, as a {@link NetworkFailure}. */
export function networkFailure(error: unknown, reusedSocket = false): NetworkFailure {
  if (error instanceof NetworkFailure) return error;
  const code = typeof error === "object" && error !== null && "code" in error ? String(error.code) : "EUNKNOWN";
  const message = innermost(error);
  const stale = reusedSocket && (code === "ECONNRESET" || code === "EPIPE");
  return stale ? new StaleConnection(code, message, error) : new NetworkFailure(code, message, error);
}

/** When every address of a host fails, Node reports them all in one error without a message. */
function innermost(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return innermost(error.errors[0]);
  // Node goes on with flags of its own, which nobody can give it here.
  return error instanceof Error
    ? error.message.replace(/; if the root CA is installed locally.*$/s, "")
    : String(error);
}
