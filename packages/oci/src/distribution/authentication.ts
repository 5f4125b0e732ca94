import { type Clock, isLoopbackHost, PermissionDenied, SingleFlight } from "@boxship/base";
import { abortable } from "../abortable.ts";
import { Field } from "../decode.ts";
import type { Reference } from "../reference.ts";
import { type Challenge, parseChallenges } from "./challenge.ts";
import type { CredentialSource, Credentials } from "./credentials.ts";
import type { Endpoint } from "./endpoints.ts";
import { type Reply, replyError } from "./failures.ts";
import type { HttpRequest } from "./http.ts";

/** What may be done with a repository: `repository:library/nginx:pull`. */
export type Scope = string;

export function repositoryScope(reference: Reference, actions: readonly ("pull" | "push" | "delete")[]): Scope {
  return `repository:${reference.path}:${actions.join(",")}`;
}

/** How an authenticator reaches a token server: one exchange, its small body read. */
export type SendSmall = (request: HttpRequest, signal?: AbortSignal) => Promise<Reply>;

export interface AuthenticatorOptions {
  readonly credentials: CredentialSource;
  readonly clock: Clock;
  readonly send: SendSmall;
  readonly idleTimeoutMs: number;
  /** Names us to token servers. */
  readonly clientId: string;
}

interface Token {
  readonly value: string;
  /** On the monotonic clock. */
  readonly expires: number;
}

/** What is asked for and by whom; everything that a header depends on. */
export interface AuthorizationRequest {
  readonly endpoint: Endpoint;
  readonly reference: Reference;
  readonly scope: Scope;
}

const DEFAULT_LIFETIME_S = 60;
const TOKEN_LIMIT = 1024 * 1024;

/**
 * Authorization for registries: basic, and bearer tokens from a token server (distribution spec, token authentication;
 * OAuth2 for identity tokens). Tokens are kept until they expire and are shared by requests for the same scope.
 */
export class Authenticator {
  readonly #options: AuthenticatorOptions;
  /** What each endpoint last asked for. */
  readonly #challenges = new Map<string, Challenge>();
  readonly #tokens = new Map<string, Token>();
  readonly #fetching = new SingleFlight<Token>();
  /** Refresh tokens that a token server has given in place of the one in the credentials. */
  readonly #refreshed = new Map<string, string>();

  constructor(options: AuthenticatorOptions) {
    this.#options = options;
  }

  /** The `Authorization` header to send, as far as it is known what the endpoint wants. */
  async header(request: AuthorizationRequest, signal?: AbortSignal): Promise<string | undefined> {
    const { endpoint, reference } = request;
    const challenge = this.#challenges.get(endpoint.host);
    if (challenge === undefined) return undefined;
    const registry = endpoint.mirror ? endpoint.host : reference.domain;
    const credentials = await this.#options.credentials(registry, reference.path, signal);
    if (credentials?.kind === "registry-token") return `Bearer ${credentials.token}`;
    if (challenge.scheme === "basic") return basic(credentials);
    const key = JSON.stringify([endpoint.host, challenge.parameters, request.scope, credentials]);
    const known = this.#tokens.get(key);
    if (known !== undefined && known.expires > this.#options.clock.monotonic()) return `Bearer ${known.value}`;
    const fetching = this.#fetching.run(key, () => this.#fetch(request, challenge, credentials));
    const token = await abortable(fetching, signal);
    this.#tokens.set(key, token);
    return `Bearer ${token.value}`;
  }

  /**
   * Takes in a 401 to a request that was sent with the header `sent`.
   *
   * @returns whether the endpoint said what it wants
   */
  challenged(request: AuthorizationRequest, reply: Reply, sent: string | undefined): boolean {
    const offered = parseChallenges(reply.headers["www-authenticate"]);
    const chosen =
      offered.find((c) => c.scheme === "bearer" && c.parameters["realm"] !== undefined) ??
      offered.find((c) => c.scheme === "basic");
    if (chosen === undefined) return false;
    this.#challenges.set(request.endpoint.host, chosen);
    for (const [key, token] of this.#tokens) if (sent === `Bearer ${token.value}`) this.#tokens.delete(key);
    return true;
  }

  async #fetch(
    request: AuthorizationRequest,
    challenge: Challenge,
    credentials: Credentials | undefined,
  ): Promise<Token> {
    const { idleTimeoutMs } = this.#options;
    const realm = tokenServer(request.endpoint, challenge);
    const scope = mergeScopes(request.scope, challenge.parameters["scope"]);
    const service = challenge.parameters["service"] ?? "";
    const exchange =
      credentials?.kind === "identity-token"
        ? this.#refresh(realm, service, scope, credentials.token)
        : this.#plain(realm, service, scope, credentials);
    // Shared by all who wait for it, so that one of them giving up does not end it.
    const reply = await this.#options.send({ ...exchange, tls: request.endpoint.tls, idleTimeoutMs });
    if (reply.status !== 200) {
      const status = reply.status === 400 || reply.status === 404 ? 401 : reply.status;
      const action = request.scope.includes("push") ? "push" : "pull";
      throw replyError(realm.host, { ...reply, status }, { what: "registry", reference: request.reference, action });
    }
    const answer = Field.parse(`the answer of token server ${realm.host}`, reply.body, TOKEN_LIMIT);
    const refresh = answer.get("refresh_token").optional((field) => field.string());
    if (refresh !== undefined && credentials?.kind === "identity-token")
      this.#refreshed.set(credentials.token, refresh);
    return this.#readToken(answer);
  }

  #plain(realm: URL, service: string, scope: Scope, credentials: Credentials | undefined): TokenExchange {
    const url = new URL(realm);
    if (service !== "") url.searchParams.set("service", service);
    for (const part of scope.split(" ")) url.searchParams.append("scope", part);
    if (credentials?.kind === "password") url.searchParams.set("account", credentials.username);
    const authorization = basic(credentials);
    return { method: "GET", url: url.href, headers: authorization === undefined ? {} : { authorization } };
  }

  #refresh(realm: URL, service: string, scope: Scope, identity: string): TokenExchange {
    const form = new URLSearchParams({
      grant_type: "refresh_token",
      service,
      scope,
      client_id: this.#options.clientId,
      refresh_token: this.#refreshed.get(identity) ?? identity,
    });
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    return { method: "POST", url: realm.href, headers, body: form.toString() };
  }

  #readToken(answer: Field): Token {
    const value =
      answer.get("token").optional((field) => field.string()) ??
      answer.get("access_token").optional((field) => field.string());
    if (value === undefined || !/^[\x21-\x7e]+$/.test(value)) throw answer.fail("it holds no token");
    const lifetime = answer.get("expires_in").optional((field) => field.integer()) ?? 0;
    const seconds = Math.max(lifetime, DEFAULT_LIFETIME_S);
    // Clocks differ and requests take time: a token is not used in the last tenth of its life.
    return { value, expires: this.#options.clock.monotonic() + seconds * 900 };
  }
}

type TokenExchange = Pick<HttpRequest, "method" | "url" | "headers" | "body">;

function basic(credentials: Credentials | undefined): string | undefined {
  if (credentials?.kind !== "password") return undefined;
  const { username, password } = credentials;
  return `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
}

/** Credentials go to a token server only over TLS, unless the registry itself is allowed to do without. */
export function tokenServer(endpoint: Endpoint, challenge: Challenge): URL {
  const realm = challenge.parameters["realm"] ?? "";
  const url = URL.canParse(realm) ? new URL(realm) : undefined;
  const secure = url?.protocol === "https:";
  const allowed = url?.protocol === "http:" && (endpoint.schemes.includes("http") || isLoopbackHost(url.hostname));
  if (url !== undefined && (secure || allowed)) return url;
  throw new PermissionDenied(`registry ${endpoint.host} names an unusable token server: ${JSON.stringify(realm)}`, {
    subject: { kind: "registry", name: endpoint.host },
    ...(url === undefined ? {} : { remedy: `mark ${endpoint.host} "insecure" if it has no TLS` }),
  });
}

/** Ours and the registry's scopes, without duplicates. */
function mergeScopes(ours: Scope, theirs: string | undefined): Scope {
  return [...new Set([...(ours === "" ? [] : [ours]), ...(theirs ?? "").split(" ")])].filter((s) => s !== "").join(" ");
}
