import { createServer, type IncomingMessage, type Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { denied } from "./access/denied.ts";
import { guardEngine } from "./access/guarded-engine.ts";
import { isMutating, mayCall } from "./access/route-access.ts";
import { ApiCall, type ApiContext } from "./http/call.ts";
import { endDetour } from "./http/hijack.ts";
import { NO_QUERY } from "./http/query.ts";
import { sendError, sendReply } from "./http/reply.ts";
import type { Route } from "./http/route.ts";
import { type RouteMatch, Router } from "./http/router.ts";
import { CURRENT_VERSION, CURRENT_VERSION_TEXT, pathVersion } from "./http/version.ts";
import type { DockerApiOptions } from "./options.ts";
import { ROUTES } from "./routes/index.ts";
import { hostDefaults } from "./view/host-defaults.ts";

/** As much as Docker's takes: `X-Registry-Config` holds tokens for every registry, and build arguments are in the query. */
const MAX_HEADER_BYTES = 1 << 20;
const HEADERS_TIMEOUT_MS = 60_000;
/** How long answers may take to finish once {@link DockerApiServer.close} was called. */
const CLOSE_GRACE_MS = 2_000;

/** The Docker Engine API over an engine, 1.24 to 1.51. */
export interface DockerApiServer extends AsyncDisposable {
  /** Not listening yet: the owner of the socket calls `listen`. */
  readonly server: Server;
  /** Requests under way, raw streams included. */
  readonly active: number;
  /**
   * Stops accepting, ends streams that would go on for ever (logs, events, attach, wait), and lets short answers
   * finish; what is left after `graceMs` is cut. Idempotent.
   */
  close(graceMs?: number): Promise<void>;
}

/** Serves `engine`. The caller listens on {@link DockerApiServer.server} and closes it. */
export function createDockerApiServer(options: DockerApiOptions): DockerApiServer {
  return new ApiServer(options);
}

const router = new Router(ROUTES);

class ApiServer implements DockerApiServer {
  readonly server: Server;
  readonly #context: ApiContext;
  readonly #calls = new Set<ApiCall>();
  /** The last answer that was begun on a connection. */
  readonly #answers = new WeakMap<Duplex, ServerResponse>();
  readonly #commonHeaders: readonly (readonly [string, string])[];
  #sequence = 0;
  #closing: Promise<void> | undefined;

  constructor(options: DockerApiOptions) {
    const { role, headersTimeoutMs = HEADERS_TIMEOUT_MS } = options;
    const engine = role === undefined ? options.engine : guardEngine(options.engine, role);
    this.#context = { ...options, engine, defaults: once(() => hostDefaults(engine)) };
    this.#commonHeaders = [
      ["Api-Version", CURRENT_VERSION_TEXT],
      // Docker's command line has checkpoints only for such an engine.
      ["Docker-Experimental", "true"],
      ["Ostype", "linux"],
      ["Server", `Boxship/${options.info?.version ?? "dev"} (linux)`],
    ];
    this.server = createServer(
      {
        maxHeaderSize: MAX_HEADER_BYTES,
        headersTimeout: headersTimeoutMs,
        connectionsCheckingInterval: headersTimeoutMs / 2,
        // An archive may take as long as it takes.
        requestTimeout: 0,
        // Node's answer has no words.
        requireHostHeader: false,
        // Docker's clients keep idle connections and do not retry a POST on one that was closed under them.
        keepAliveTimeout: 0,
        shouldUpgradeCallback: (request) => wantsStream(request),
      },
      (request, response) => this.#serve(request, response, false),
    );
    this.server.on("upgrade", (request, socket, head) => this.#upgrade(request, socket, head));
    this.server.on("connect", (_request, socket) => socket.end(answerBytes("404 Not Found", "page not found")));
    this.server.on("clientError", (error, socket) => refuseMalformed(error, socket, this.#answers.get(socket)));
  }

  get active(): number {
    return this.#calls.size;
  }

  close(graceMs: number = CLOSE_GRACE_MS): Promise<void> {
    this.#closing ??= this.#close(graceMs);
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(graceMs: number): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      if (this.server.listening) this.server.close(() => resolve());
      else resolve();
    });
    for (const call of this.#calls) call.abort();
    this.server.closeIdleConnections();
    using _timer = this.#context.clock.setTimeout(graceMs, () => {
      for (const call of this.#calls) call.destroy();
      this.server.closeAllConnections();
    });
    _timer.ref();
    await closed;
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    if (socket !== request.socket) request.once("end", () => endDetour(socket, request.socket));
    const response = new ServerResponse(request);
    response.shouldKeepAlive = false;
    response.assignSocket(socket as Socket);
    socket.on("error", () => socket.destroy());
    // Back in front of the stream at once: its end may be right behind.
    if (head.length > 0) socket.unshift(head);
    response.once("finish", () => socket.end());
    this.#serve(request, response, true);
  }

  #serve(request: IncomingMessage, response: ServerResponse, upgraded: boolean): void {
    const started = this.#context.clock.monotonic();
    this.#answers.set(request.socket, response);
    if (!namesHost(request)) {
      refuseNoHost(request, response);
      return;
    }
    for (const [name, value] of this.#commonHeaders) response.setHeader(name, value);
    const target = targetOf(request);
    if ("refused" in target) {
      response.removeHeader("Docker-Experimental");
      sendReply(response, target.refused);
      return;
    }
    const call = new ApiCall({
      id: (++this.#sequence).toString(36),
      context: this.#context,
      request,
      response,
      version: target.version,
      params: target.match.params,
      query: target.query,
      upgraded,
      audited: isMutating(target.match.route),
    });
    this.#calls.add(call);
    response.once("close", () => {
      if (!response.writableFinished && !call.hijacked) call.abort();
    });
    void this.#run(call, target.match.route, started);
  }

  async #run(call: ApiCall, route: Route, started: number): Promise<void> {
    try {
      this.#admit(route);
      const reply = await route.run(call);
      if (reply !== undefined && !call.response.destroyed) sendReply(call.response, reply);
    } catch (error) {
      this.#report(call, error);
    } finally {
      call.whenGone(() => this.#calls.delete(call));
      call.audit?.answer().catch((error: unknown) => this.#context.logger.error("cannot audit", { error }));
      if (this.#closing !== undefined) call.response.once("close", () => this.server.closeIdleConnections());
      this.#log(call, started);
    }
  }

  /** @throws PermissionDenied */
  #admit(route: Route): void {
    const { role } = this.#context;
    if (role === undefined || mayCall(role, route)) return;
    const remedy = role.kind === "read-only" ? undefined : "ask for it on the engine's own socket";
    throw denied(role, `${route.method} ${route.path}`, remedy);
  }

  #report(call: ApiCall, error: unknown): void {
    const clientIsGone = call.signal.aborted;
    sendError(call, error);
    if (clientIsGone || (call.response.statusCode !== 500 && !call.hijacked)) return;
    const { method } = call.request;
    const url = shownUrl(call.request.url);
    this.#context.logger.error("request failed", { request: call.id, method, url, error });
  }

  #log(call: ApiCall, started: number): void {
    const { method } = call.request;
    const url = shownUrl(call.request.url);
    const ms = Math.round((this.#context.clock.monotonic() - started) * 1000) / 1000;
    this.#context.logger.debug("request", { request: call.id, method, url, status: call.response.statusCode, ms });
  }
}

/** A request's address for the log: without what may hold credentials. */
function shownUrl(url = ""): string {
  return url.replace(/([?&](?:remote|fromSrc|buildargs)=)[^&]*/g, "$1…");
}

/** Calls `task` until it succeeds for the first time, and remembers that. */
function once<T>(task: () => Promise<T>): () => Promise<T> {
  let result: Promise<T> | undefined;
  return () => {
    result ??= task().catch((error: unknown) => {
      result = undefined;
      throw error;
    });
    return result;
  };
}

type Target =
  | { readonly refused: { readonly status: number; readonly json?: { readonly message: string } } }
  | { readonly match: RouteMatch<Route>; readonly version: number; readonly query: URLSearchParams };

/** Whatever the path: Docker's daemon says so to browsers and to clients that look around. */
const ANY_OPTIONS = { refused: { status: 200 } } as const;
const PAGE_NOT_FOUND = { refused: { status: 404, json: { message: "page not found" } } } as const;

/** From the request line to a route, or to the answer that there is none. */
function targetOf(request: IncomingMessage): Target {
  const url = request.url ?? "/";
  const mark = url.indexOf("?");
  const path = cleanPath(pathOf(url));
  if (path === undefined) return { refused: { status: 400, json: { message: "malformed escape in the path" } } };
  const prefix = pathVersion(path);
  if (prefix.kind === "refused") return { refused: { status: 400, json: { message: prefix.message } } };
  if (request.method === "OPTIONS") return ANY_OPTIONS;
  const version = prefix.kind === "ok" ? prefix.minor : CURRENT_VERSION;
  const match = router.find(request.method ?? "GET", prefix.kind === "ok" ? prefix.rest : path);
  if (match === undefined || version < match.route.minVersion) return PAGE_NOT_FOUND;
  return { match, version, query: mark < 0 ? NO_QUERY : new URLSearchParams(url.slice(mark + 1)) };
}

/** The path as it was sent, also of an address with a host, as proxies are asked for one (RFC 9112, 3.2.2). */
function pathOf(url: string): string {
  const mark = url.indexOf("?");
  const address = mark < 0 ? url : url.slice(0, mark);
  return address.startsWith("/") ? address : address.replace(/^https?:\/\/[^/]*/i, "");
}

/** Without escapes and doubled slashes (names are written with a leading one in many answers); undefined when broken. */
function cleanPath(encoded: string): string | undefined {
  try {
    const path = encoded.includes("%") ? decodeURIComponent(encoded) : encoded;
    return path.includes("//") ? path.replace(/\/{2,}/g, "/") : path;
  } catch {
    return undefined;
  }
}

const STREAM_PATH =
  /^(?:\/v[^/]*)?\/+(?:containers\/\/?[^/]+\/attach(?:\/ws)?|(?:exec|boxship\/working-runs)\/[^/]+\/start|boxship\/build-streams\/[^/]+|session|grpc)$/;

/** Only these may leave HTTP; elsewhere an `Upgrade` header (curl's h2c, say) means nothing. */
function wantsStream(request: IncomingMessage): boolean {
  return STREAM_PATH.test(pathOf(request.url ?? ""));
}

const MALFORMED: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: "431 Request Header Fields Too Large",
  ERR_HTTP_REQUEST_TIMEOUT: "408 Request Timeout",
};

/** What is not HTTP gets an answer in Docker's shape, unless it came in the middle of one; the connection is closed. */
function refuseMalformed(error: Error & { readonly code?: string }, socket: Duplex, answer?: ServerResponse): void {
  if (!socket.writable || error.code === "ECONNRESET" || (answer?.headersSent && !answer.writableFinished)) {
    socket.destroy();
    return;
  }
  socket.end(answerBytes(MALFORMED[error.code ?? ""] ?? "400 Bad Request", `malformed request: ${error.message}`));
}

/** Since HTTP/1.1 a request has to (RFC 9112, 3.2). */
function namesHost({ httpVersionMajor, httpVersionMinor, headers }: IncomingMessage): boolean {
  return headers.host !== undefined || httpVersionMajor * 10 + httpVersionMinor < 11;
}

/** In the words of Go's server, before anything of Docker's. */
function refuseNoHost(request: IncomingMessage, response: ServerResponse): void {
  const { socket } = request;
  const status = "400 Bad Request: missing required Host header";
  response.detachSocket(socket);
  socket.end(`HTTP/1.1 ${status}\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n${status}`);
}

/** An error where there is no request to answer. */
function answerBytes(status: string, message: string): string {
  const body = `${JSON.stringify({ message })}\n`;
  return `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`;
}
