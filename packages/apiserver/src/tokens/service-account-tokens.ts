import { randomUUID } from "node:crypto";
import { isObject, type Json, type JsonObject, type KubeObject, textAt, valueAt } from "@boxship/api";
import type { User } from "../contract.ts";
import type { ServerContext } from "../server-context.ts";
import { readObject } from "../storage/read-objects.ts";
import { accountUser } from "./account-user.ts";
import type { SigningKeys } from "./signing-keys.ts";
import { type Identified, type TokenAuthenticator, unauthorized } from "./token-authenticator.ts";

/** Where the claims are that only Kubernetes understands. */
const PRIVATE = "kubernetes.io";
/** A token outlives the deletion of what it is bound to by so much: long enough to end in an orderly way. */
const DELETION_LEEWAY_MS = 60_000;
/** What kubelets ask for; such tokens live longer where clients do not read them again, and warn instead. */
const PROJECTED_SECONDS = 3607;
const EXTENDED_SECONDS = 365 * 24 * 3600;

/** An object that a token lives and dies with. */
export interface Bound {
  readonly kind: "Pod" | "Secret" | "Node";
  readonly object: KubeObject;
  /** Of a pod: where it runs. */
  readonly node?: KubeObject;
}

export interface TokenOrder {
  readonly account: KubeObject;
  readonly audiences: readonly string[];
  readonly seconds: number;
  readonly bound?: Bound;
}

export interface IssuedToken {
  readonly token: string;
  /** Milliseconds since the epoch. */
  readonly expires: number;
}

export interface ServiceAccountTokensOptions {
  readonly context: () => ServerContext;
  readonly keys: SigningKeys;
  /** A URL; also the server's audience. */
  readonly issuer: string;
}

/** Issues tokens for service accounts, and knows them again: signed, in time, and what they are bound to still there. */
export class ServiceAccountTokens implements TokenAuthenticator {
  readonly #context: () => ServerContext;
  readonly keys: SigningKeys;
  readonly issuer: string;

  constructor({ context, keys, issuer }: ServiceAccountTokensOptions) {
    this.#context = context;
    this.keys = keys;
    this.issuer = issuer;
  }

  async issue({ account, audiences, seconds, bound }: TokenOrder): Promise<IssuedToken> {
    const now = Math.floor(this.#context().clock.now() / 1000);
    const { namespace = "", name = "" } = account.metadata;
    const extended =
      bound?.kind === "Pod" && seconds === PROJECTED_SECONDS && audiences.every((one) => one === this.issuer);
    const token = await this.keys.sign({
      aud: [...audiences],
      exp: now + (extended ? EXTENDED_SECONDS : seconds),
      iat: now,
      iss: this.issuer,
      jti: randomUUID(),
      [PRIVATE]: {
        namespace,
        ...(bound?.node === undefined ? {} : { node: reference(bound.node) }),
        ...(bound === undefined ? {} : { [bound.kind.toLowerCase()]: reference(bound.object) }),
        serviceaccount: reference(account),
        ...(extended ? { warnafter: now + seconds } : {}),
      },
      nbf: now,
      sub: `system:serviceaccount:${namespace}:${name}`,
    });
    return { token, expires: (now + seconds) * 1000 };
  }

  async authenticateToken(text: string, audiences: readonly string[]): Promise<Identified | undefined> {
    const token = await this.keys.check(text);
    if (token === undefined || token.claims["iss"] !== this.issuer) return undefined;
    const { claims } = token;
    const own = valueAt(claims, PRIVATE);
    this.#checkTime(claims);
    const given = [claims["aud"] ?? []].flat().map(String);
    const common = audiences.filter((one) => given.includes(one));
    if (common.length === 0) throw unauthorized("token audiences are not for this server");
    const namespace = textAt(own, "namespace");
    const name = textAt(own, "serviceaccount", "name");
    if (textAt(claims, "sub") !== `system:serviceaccount:${namespace}:${name}`)
      throw unauthorized("token has no subject");
    await this.#checkAlive("serviceaccounts", namespace, valueAt(own, "serviceaccount"));
    const [pod, secret, node] = ["pod", "secret", "node"].map((field) => valueAt(own, field));
    if (pod !== undefined) await this.#checkAlive("pods", namespace, pod);
    if (secret !== undefined) await this.#checkAlive("secrets", namespace, secret);
    // A pod's node is told, and not asked for: the pod may outlive it for a while.
    if (node !== undefined && pod === undefined) await this.#checkAlive("nodes", "", node);
    return { user: userOf(claims, own, namespace, name), audiences: common };
  }

  #checkTime(claims: JsonObject): void {
    const now = this.#context().clock.now() / 1000;
    const { exp, nbf } = claims;
    if (typeof exp !== "number" || exp <= now) throw unauthorized("service account token has expired");
    if (typeof nbf === "number" && nbf > now) throw unauthorized("service account token is not valid yet");
  }

  /** The same object, not another one of its name. */
  async #checkAlive(resource: string, namespace: string, wanted: Json | undefined): Promise<void> {
    const name = textAt(wanted, "name");
    const object = await readObject(this.#context(), "", resource, { name, namespace });
    if (object === undefined || object.metadata.uid !== textAt(wanted, "uid")) {
      throw unauthorized("service account token has been invalidated");
    }
    const { deletionTimestamp } = object.metadata;
    if (deletionTimestamp === undefined) return;
    if (Date.parse(deletionTimestamp) + DELETION_LEEWAY_MS < this.#context().clock.now()) {
      throw unauthorized("service account token has been invalidated");
    }
  }
}

const reference = ({ metadata }: KubeObject): JsonObject => ({ name: metadata.name ?? "", uid: metadata.uid ?? "" });

function userOf(claims: JsonObject, own: Json | undefined, namespace: string, name: string): User {
  const extra: Record<string, readonly string[]> = {};
  const add = (key: string, value: string): void => {
    if (value !== "") extra[`authentication.kubernetes.io/${key}`] = [value];
  };
  const jti = textAt(claims, "jti");
  add("credential-id", jti === "" ? "" : `JTI=${jti}`);
  for (const field of ["pod", "node"]) {
    if (!isObject(valueAt(own, field))) continue;
    add(`${field}-name`, textAt(own, field, "name"));
    add(`${field}-uid`, textAt(own, field, "uid"));
  }
  return accountUser(namespace, name, textAt(own, "serviceaccount", "uid"), extra);
}
