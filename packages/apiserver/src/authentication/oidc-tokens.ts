import { createPublicKey, type KeyObject } from "node:crypto";
import { isObject, type Json, type JsonObject, listAt, textAt } from "@boxship/api";
import { asBoxshipError, type Clock, Unavailable } from "@boxship/base";
import { AUTHENTICATED } from "../access/authenticate.ts";
import { HttpsClient } from "../http/https-client.ts";
import { isSignedBy, readToken, type UncheckedToken } from "../tokens/json-web-token.ts";
import { type Identified, type TokenAuthenticator, unauthorized } from "../tokens/token-authenticator.ts";
import type { ClaimMapping, JwtRule } from "./authentication-file.ts";
import { checkRules, textsOf, userAsSeen } from "./claim-expressions.ts";

const TIMEOUT_MS = 10_000;
/** How often an issuer is asked for its keys at most. */
const ASKED_EVERY_MS = 10_000;
/** How far an issuer's clock may be before ours. */
const LATE_CLOCK_S = 60;

interface Key {
  readonly id: string;
  readonly open: KeyObject;
  readonly algorithm: string;
}

/** Tokens of an OpenID Connect issuer. Its keys are fetched when the first token comes, and when a new key is named. */
export class OidcTokens implements TokenAuthenticator, Disposable {
  readonly #rule: JwtRule;
  readonly #audiences: readonly string[];
  readonly #clock: Clock;
  readonly #client: HttpsClient;
  #keys: readonly Key[] = [];
  #asked = Number.NEGATIVE_INFINITY;
  #asking: Promise<void> | undefined;

  /** @param audiences of this server: what its users' tokens count for */
  constructor(rule: JwtRule, audiences: readonly string[], clock: Clock) {
    this.#rule = rule;
    this.#audiences = audiences;
    this.#clock = clock;
    this.#client = new HttpsClient(rule.authority === undefined ? {} : { ca: rule.authority });
  }

  async authenticateToken(text: string, audiences: readonly string[]): Promise<Identified | undefined> {
    const token = readToken(text);
    if (token === undefined || token.claims["iss"] !== this.#rule.issuer) return undefined;
    const common = audiences.filter((one) => this.#audiences.includes(one));
    if (common.length === 0) throw unauthorized("oidc: the token is not for the audience that is asked for");
    if (!(await this.#isSigned(token))) throw unauthorized("oidc: verify token: failed to verify signature");
    await this.#checkClaims(token.claims);
    return { user: await this.#userOf(token.claims), audiences: common };
  }

  async #isSigned(token: UncheckedToken): Promise<boolean> {
    if (await this.#fits(token)) return true;
    if (this.#keys.some(({ id }) => id === token.keyId)) return false;
    if (this.#asking === undefined && this.#clock.monotonic() - this.#asked >= ASKED_EVERY_MS) {
      this.#asked = this.#clock.monotonic();
      this.#asking = this.#fetchKeys().finally(() => (this.#asking = undefined));
    }
    await this.#asking;
    return await this.#fits(token);
  }

  async #fits(token: UncheckedToken): Promise<boolean> {
    for (const { id, open, algorithm } of this.#keys) {
      if (token.keyId !== "" && id !== token.keyId) continue;
      if (algorithm !== "" && algorithm !== token.algorithm) continue;
      if (await isSignedBy(token, open)) return true;
    }
    return false;
  }

  async #fetchKeys(): Promise<void> {
    const { issuer, discoveryUrl } = this.#rule;
    const document = await this.#get(discoveryUrl ?? `${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`);
    if (textAt(document, "issuer") !== issuer) throw unauthorized("oidc: the issuer says that it is another one");
    const jwks = await this.#get(textAt(document, "jwks_uri"));
    this.#keys = listAt(jwks, "keys").flatMap(keyOf);
  }

  async #get(url: string): Promise<JsonObject> {
    try {
      if (!url.startsWith("https://")) throw new Unavailable(`${url} is not of https`);
      const { status, text } = await this.#client.call(url, { timeoutMs: TIMEOUT_MS });
      const value: unknown = JSON.parse(text);
      if (status === 200 && isObject(value)) return value;
      throw new Unavailable(`it answers with ${status}`);
    } catch (error) {
      throw unauthorized(`oidc: the issuer cannot be asked at ${url}: ${asBoxshipError(error).message}`);
    }
  }

  async #checkClaims(claims: JsonObject): Promise<void> {
    const now = this.#clock.now() / 1000;
    const { exp, nbf, aud } = claims;
    if (typeof exp !== "number" || exp <= now) throw unauthorized("oidc: verify token: token is expired");
    if (typeof nbf === "number" && nbf > now + LATE_CLOCK_S)
      throw unauthorized("oidc: verify token: it is not valid yet");
    const given: readonly unknown[] = Array.isArray(aud) ? aud : [aud];
    if (!this.#rule.audiences.some((one) => given.includes(one)))
      throw unauthorized("oidc: verify token: expected another audience");
    for (const { claim, value } of this.#rule.requiredClaims) {
      if (claims[claim] !== value) throw unauthorized(`oidc: required claim ${claim} is not as it must be`);
    }
    await checkRules(this.#rule.claimRules, claims);
  }

  async #userOf(claims: JsonObject): Promise<Identified["user"]> {
    const { username, groups, uid, extra, userRules } = this.#rule;
    const own = groups === undefined ? [] : await groupsOf(groups, claims);
    const id = uid === undefined ? undefined : "text" in uid ? await uid.evaluate(claims) : claims[uid.claim];
    const more: [string, readonly string[]][] = [];
    for (const { key, value } of extra) {
      const texts = textsOf(await value.evaluate(claims), `extra ${key}`);
      if (texts.length > 0) more.push([key, texts]);
    }
    const user: Identified["user"] = {
      name: await nameOf(username, claims),
      groups: [...own, AUTHENTICATED],
      ...(typeof id === "string" && id !== "" ? { uid: id } : {}),
      ...(more.length === 0 ? {} : { extra: Object.fromEntries(more) }),
    };
    await checkRules(userRules, userAsSeen(user));
    return user;
  }

  [Symbol.dispose](): void {
    this.#client[Symbol.dispose]();
  }
}

async function nameOf(mapping: ClaimMapping, claims: JsonObject): Promise<string> {
  const value = "text" in mapping ? await mapping.evaluate(claims) : claims[mapping.claim];
  const what = "text" in mapping ? `expression '${mapping.text}'` : `claim ${mapping.claim}`;
  if (typeof value !== "string" || value === "") throw unauthorized(`oidc: ${what} names nobody`);
  if ("text" in mapping) return value;
  const { email_verified: verified = true } = claims;
  if (mapping.claim === "email" && verified !== true) throw unauthorized("oidc: email not verified");
  return mapping.prefix + value;
}

async function groupsOf(mapping: ClaimMapping, claims: JsonObject): Promise<readonly string[]> {
  if ("text" in mapping) return textsOf(await mapping.evaluate(claims), `expression '${mapping.text}'`);
  const texts = textsOf(claims[mapping.claim] ?? null, `claim ${mapping.claim}`);
  return texts.map((one) => mapping.prefix + one);
}

/** Of keys that can be read, and that sign. */
function keyOf(jwk: Json): readonly Key[] {
  if (!isObject(jwk) || (jwk["use"] !== undefined && jwk["use"] !== "sig")) return [];
  try {
    const open = createPublicKey({ key: jwk, format: "jwk" });
    return [{ id: textAt(jwk, "kid"), open, algorithm: textAt(jwk, "alg") }];
  } catch {
    return [];
  }
}
