import { constants, type KeyObject, sign, type VerifyKeyObjectInput, verify } from "node:crypto";
import { isObject, type JsonObject } from "@boxship/api";

/** Longer ones are nobody's. */
const LONGEST = 32 * 1024;

/** A token that could be read; nothing of it is true before its signature has been checked. */
export interface UncheckedToken {
  /** RFC 7518 §3.1 */
  readonly algorithm: string;
  readonly keyId: string;
  readonly claims: JsonObject;
  readonly signed: Buffer;
  readonly signature: Buffer;
}

interface Algorithm {
  readonly hash: string;
  readonly type: "rsa" | "ec";
  readonly curve?: string;
  readonly pss?: boolean;
}

const ALGORITHMS: Readonly<Record<string, Algorithm>> = {
  RS256: { hash: "sha256", type: "rsa" },
  RS384: { hash: "sha384", type: "rsa" },
  RS512: { hash: "sha512", type: "rsa" },
  PS256: { hash: "sha256", type: "rsa", pss: true },
  PS384: { hash: "sha384", type: "rsa", pss: true },
  PS512: { hash: "sha512", type: "rsa", pss: true },
  ES256: { hash: "sha256", type: "ec", curve: "prime256v1" },
  ES384: { hash: "sha384", type: "ec", curve: "secp384r1" },
  ES512: { hash: "sha512", type: "ec", curve: "secp521r1" },
};

/** Reads a token of RFC 7515's compact form, RFC 7519's claims; undefined for what is none. */
export function readToken(token: string): UncheckedToken | undefined {
  if (token.length > LONGEST) return undefined;
  const parts = token.split(".");
  const [head = "", body = "", signature = ""] = parts;
  if (parts.length !== 3 || parts.some((part) => !/^[A-Za-z0-9_-]+$/.test(part))) return undefined;
  const header = parsePart(head);
  const claims = parsePart(body);
  if (header === undefined || claims === undefined || typeof header["alg"] !== "string") return undefined;
  // Extensions that a reader must understand: none is understood here.
  if (header["crit"] !== undefined) return undefined;
  return {
    algorithm: header["alg"],
    keyId: typeof header["kid"] === "string" ? header["kid"] : "",
    claims,
    signed: Buffer.from(`${head}.${body}`),
    signature: Buffer.from(signature, "base64url"),
  };
}

function parsePart(part: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, "base64url").toString());
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Whether a key has signed a token: by an algorithm that is the key's own, whatever the token says of it. */
export function isSignedBy(token: UncheckedToken, key: KeyObject): boolean {
  const algorithm = Object.hasOwn(ALGORITHMS, token.algorithm) ? ALGORITHMS[token.algorithm] : undefined;
  if (algorithm === undefined || key.type !== "public" || key.asymmetricKeyType !== algorithm.type) return false;
  if (algorithm.curve !== undefined && key.asymmetricKeyDetails?.namedCurve !== algorithm.curve) return false;
  return verify(algorithm.hash, token.signed, options(key, algorithm), token.signature);
}

function options(key: KeyObject, { type, pss = false }: Algorithm): VerifyKeyObjectInput {
  if (type === "ec") return { key, dsaEncoding: "ieee-p1363" };
  if (!pss) return { key, padding: constants.RSA_PKCS1_PADDING };
  return { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST };
}

/** @param key private */
export function signToken(key: KeyObject, keyId: string, claims: JsonObject): string {
  const name = algorithmOf(key);
  const algorithm = ALGORITHMS[name] as Algorithm;
  const part = (value: JsonObject): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const text = `${part({ alg: name, kid: keyId })}.${part(claims)}`;
  return `${text}.${sign(algorithm.hash, Buffer.from(text), options(key, algorithm)).toString("base64url")}`;
}

/** The algorithm that a key signs by. */
export function algorithmOf(key: KeyObject): string {
  if (key.asymmetricKeyType === "rsa") return "RS256";
  const curve = key.asymmetricKeyDetails?.namedCurve;
  const found = Object.entries(ALGORITHMS).find(([, algorithm]) => algorithm.curve === curve);
  return found?.[0] ?? "";
}
