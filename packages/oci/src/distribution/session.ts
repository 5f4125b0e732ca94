import { type Clock, isLoopbackHost, type Logger, PermissionDenied, SingleFlight, Unavailable } from "@boxship/base";
import { abortable } from "../abortable.ts";
import type { Reference } from "../reference.ts";
import { Authenticator, type Scope } from "./authentication.ts";
import { readBody } from "./body.ts";
import type { CredentialSource } from "./credentials.ts";
import { type Endpoint, type RegistriesConfig, registryEndpoints } from "./endpoints.ts";
import {
  type Asked,
  connectionError,
  isTransientFailure,
  isTransientStatus,
  type Reply,
  replyError,
} from "./failures.ts";
import { HttpConnections, type HttpMethod, type HttpRequest, NetworkFailure, throughLoopbackDoor } from "./http.ts";
import { answersInHttp } from "./plain-http.ts";
import { Retries, type RetryPolicy } from "./retry.ts";

/** One request of the registry API, wherever it is sent. */
export interface ApiRequest {
  readonly method: HttpMethod;
  /** After `/v2/`; or a whole address that the registry has named, which gets our authorization only on the same host. */
  readonly path: string;
  /** @default none */
  readonly body?: string | Uint8Array | undefined;
  /** @default {} */
  readonly headers?: Readonly<Record<string, string>>;
  readonly asked: Asked;
  /** Empty for requests that concern no repository. */
  readonly scope: Scope;
}

/** Sends one request; the session wraps it in authentication and redirects. Throws NetworkFailure. */
export type Exchange<R extends Reply> = (request: HttpRequest, signal: AbortSignal | undefined) => Promise<R>;

export interface SessionOptions {
  readonly registries: RegistriesConfig;
  readonly credentials: CredentialSource;
  readonly retry: RetryPolicy;
  readonly idleTimeoutMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly userAgent: string;
  /** Not ours to close. */
  readonly connections: HttpConnections;
}

const REDIRECTS = new Set([301, 302, 303, 307, 308]);
const REDIRECT_LIMIT = 10;
/** Enough for every answer that is not a blob, and for the explanations of errors. */
const REPLY_LIMIT = 8 * 1024 * 1024;
/** How long a mirror that does not answer is left alone. */
const MIRROR_PAUSE_MS = 30_000;
/** A mirror is not worth many tries: the registry itself stands behind it. */
const MIRROR_ATTEMPTS = 2;

/** Speaks to registries: finds the place, the scheme and the authorization, follows redirects, tries again. */
export class Session {
  readonly options: SessionOptions;
  readonly #authenticator: Authenticator;
  /** `https://host` by host, where more than one scheme was possible. */
  readonly #origins = new Map<string, string>();
  readonly #probing = new SingleFlight<string>();
  /** Mirrors that did not answer, and until when they are left alone. */
  readonly #paused = new Map<string, number>();

  constructor(options: SessionOptions) {
    this.options = options;
    const { credentials, clock, idleTimeoutMs } = options;
    const send = (request: HttpRequest) => this.exchange(request, undefined);
    this.#authenticator = new Authenticator({ credentials, clock, send, idleTimeoutMs, clientId: "boxship" });
  }

  retries(endpoint: Endpoint): Retries {
    const { retry, clock } = this.options;
    return new Retries(endpoint.mirror ? { ...retry, attempts: MIRROR_ATTEMPTS } : retry, clock);
  }

  /** Does the work at the first place that can do it: mirrors, then the registry, whose error counts. */
  async anywhere<T>(
    reference: Reference,
    signal: AbortSignal | undefined,
    work: (endpoint: Endpoint) => Promise<T>,
  ): Promise<T> {
    const endpoints = registryEndpoints(reference.domain, this.options.registries);
    const { clock, logger } = this.options;
    const origin = endpoints.at(-1) ?? endpoints[0];
    for (const endpoint of endpoints.slice(0, -1)) {
      if ((this.#paused.get(endpoint.host) ?? 0) > clock.monotonic()) continue;
      try {
        return await work(endpoint);
      } catch (error) {
        signal?.throwIfAborted();
        if (error instanceof Unavailable) this.#paused.set(endpoint.host, clock.monotonic() + MIRROR_PAUSE_MS);
        logger.debug("mirror failed", { mirror: endpoint.host, error });
      }
    }
    return work(origin);
  }

  /** The registry itself, for what mirrors cannot do. */
  registry(reference: Reference): Endpoint {
    const endpoints = registryEndpoints(reference.domain, this.options.registries);
    return endpoints.at(-1) ?? endpoints[0];
  }

  /** An address that a registry has named, relative to it or whole. */
  async address(endpoint: Endpoint, location: string, signal: AbortSignal | undefined): Promise<string> {
    const origin = await abortable(this.#origin(endpoint), signal);
    if (URL.canParse(location, origin)) return new URL(location, origin).href;
    throw refusedRedirect(endpoint, location);
  }

  /**
   * A request whose answer is small, tried until it succeeds or cannot.
   *
   * @throws the error of the closed set that the last answer stands for
   */
  async ask(endpoint: Endpoint, request: ApiRequest, signal: AbortSignal | undefined): Promise<Reply> {
    const retries = this.retries(endpoint);
    for (;;) {
      let reply: Reply;
      try {
        reply = await this.perform(endpoint, request, (http, s) => this.exchange(http, s), signal);
      } catch (error) {
        if (!(error instanceof NetworkFailure)) throw error;
        if (isTransientFailure(error) && (await retries.next(undefined, signal))) continue;
        throw connectionError(endpoint.host, error, request.asked.reference);
      }
      if (reply.status >= 200 && reply.status < 300) return reply;
      const again = isTransientStatus(reply.status) && (await retries.next(reply.headers["retry-after"], signal));
      if (!again) throw replyError(endpoint.host, reply, request.asked);
    }
  }

  /**
   * One request with authorization and redirects, once.
   *
   * @throws NetworkFailure
   */
  async perform<R extends Reply>(
    endpoint: Endpoint,
    request: ApiRequest,
    exchange: Exchange<R>,
    signal: AbortSignal | undefined,
  ): Promise<R> {
    signal?.throwIfAborted();
    const origin = await abortable(this.#origin(endpoint), signal);
    const authorize = { endpoint, reference: request.asked.reference, scope: request.scope };
    const isAddress = /^https?:\/\//.test(request.path);
    const url = isAddress ? request.path : `${origin}${endpoint.prefix}/v2/${request.path}`;
    if (new URL(url).origin !== new URL(origin).origin) {
      if (!mayFollow(endpoint, new URL(origin), new URL(url))) throw refusedRedirect(endpoint, url);
      return this.#follow(endpoint, url, request, undefined, exchange, signal);
    }
    try {
      const header = await this.#authenticator.header(authorize, signal);
      const first = await this.#follow(endpoint, url, request, header, exchange, signal);
      if (first.status !== 401 || !this.#authenticator.challenged(authorize, first, header)) return first;
      const better = await this.#authenticator.header(authorize, signal);
      return better === header ? first : await this.#follow(endpoint, url, request, better, exchange, signal);
    } catch (error) {
      if (error instanceof NetworkFailure) this.#origins.delete(endpoint.host);
      throw error;
    }
  }

  /** Redirects lead to stores of blobs elsewhere: our authorization is for the registry only and stays with it. */
  async #follow<R extends Reply>(
    endpoint: Endpoint,
    start: string,
    request: ApiRequest,
    authorization: string | undefined,
    exchange: Exchange<R>,
    signal: AbortSignal | undefined,
  ): Promise<R> {
    const { idleTimeoutMs, userAgent } = this.options;
    const plain = { "user-agent": userAgent, ...request.headers };
    let headers: Readonly<Record<string, string>> = authorization === undefined ? plain : { ...plain, authorization };
    let url = new URL(start);
    for (let hops = 0; ; hops++) {
      const { method, body } = request;
      const http = { method, url: url.href, headers, body, tls: endpoint.tls, idleTimeoutMs };
      const reply = await exchange(http, signal);
      const { location } = reply.headers;
      if (!REDIRECTS.has(reply.status) || location === undefined) return reply;
      if (hops === REDIRECT_LIMIT) throw new NetworkFailure("EREDIRECT", `more than ${REDIRECT_LIMIT} redirects`);
      const next = URL.canParse(location, url.href) ? new URL(location, url.href) : undefined;
      if (next === undefined || !mayFollow(endpoint, url, next)) throw refusedRedirect(endpoint, location);
      if (next.origin !== url.origin) headers = plain;
      url = next;
    }
  }

  /** Scheme, host and port; plain HTTP only where it is allowed and TLS does not answer. */
  async #origin(endpoint: Endpoint): Promise<string> {
    const { host, schemes } = endpoint;
    const [only, ...others] = schemes;
    if (others.length === 0) return `${only}://${host}`;
    const known = this.#origins.get(host);
    if (known !== undefined) return known;
    return this.#probing.run(host, async () => {
      const origin = await this.#probe(endpoint);
      this.#origins.set(host, origin);
      return origin;
    });
  }

  async #probe(endpoint: Endpoint): Promise<string> {
    const { idleTimeoutMs, userAgent } = this.options;
    // A proxy's answers, and those of a host behind a door, would be somebody else's.
    const near = isLoopbackHost(new URL(`http://${endpoint.host}`).hostname) && !throughLoopbackDoor();
    if (near && (await answersInHttp(endpoint.host, idleTimeoutMs))) return `http://${endpoint.host}`;
    let failure: unknown;
    for (const scheme of endpoint.schemes) {
      const origin = `${scheme}://${endpoint.host}`;
      const headers = { "user-agent": userAgent };
      try {
        const url = `${origin}${endpoint.prefix}/v2/`;
        await this.exchange({ method: "GET", url, headers, tls: endpoint.tls, idleTimeoutMs }, undefined);
        return origin;
      } catch (error) {
        failure = error;
      }
    }
    throw failure;
  }

  /** The exchange of requests and answers that are small. */
  async exchange(request: HttpRequest, signal: AbortSignal | undefined): Promise<Reply> {
    const response = await this.options.connections.send(request, signal);
    const body = await readBody(response, REPLY_LIMIT);
    return { status: response.status, headers: response.headers, body };
  }
}

function mayFollow(endpoint: Endpoint, from: URL, to: URL): boolean {
  if (to.protocol === "https:") return true;
  return to.protocol === "http:" && (from.protocol === "http:" || endpoint.schemes.includes("http"));
}

function refusedRedirect(endpoint: Endpoint, location: string): PermissionDenied {
  return new PermissionDenied(`registry ${endpoint.host} redirects to ${JSON.stringify(location.slice(0, 200))}`, {
    subject: { kind: "registry", name: endpoint.host },
    remedy: "redirects from TLS to anything else are not followed",
  });
}
