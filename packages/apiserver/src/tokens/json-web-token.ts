import type { KeyObject } from "node:crypto";
import type { JsonObject } from "@boxship/api";
import { compactVerify, decodeJwt, decodeProtectedHeader, errors, SignJWT } from "jose";

/** Longer ones are nobody's. */
const LONGEST = 32 * 1024;

/** What public keys check (RFC 7518 §3.1): nothing that a shared secret signs, and not "none". */
const ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"];
const OF_CURVE: Readonly<Record<string, string>> = { prime256v1: "ES256", secp384r1: "ES384", secp521r1: "ES512" };

/** A token that could be read; nothing of it is true before its signature has been checked. */
export interface UncheckedToken {
  readonly text: string;
  /** RFC 7518 §3.1 */
  readonly algorithm: string;
  readonly keyId: string;
  readonly claims: JsonObject;
}

/** Reads a token of RFC 7515's compact form, RFC 7519's claims; undefined for what is none. */
export function readToken(text: string): UncheckedToken | undefined {
  if (text.length > LONGEST) return undefined;
  try {
    const { alg = "", kid = "" } = decodeProtectedHeader(text);
    return { text, algorithm: alg, keyId: kid, claims: decodeJwt(text) as JsonObject };
  } catch (error) {
    if (error instanceof errors.JOSEError || error instanceof TypeError) return undefined;
    throw error;
  }
}

/** Whether a key has signed a token: by an algorithm that is the key's own, whatever the token says of it. */
export async function isSignedBy(token: UncheckedToken, key: KeyObject): Promise<boolean> {
  if (key.type !== "public") return false;
  try {
    await compactVerify(token.text, key, { algorithms: ALGORITHMS });
    return true;
  } catch (error) {
    // A TypeError: the key is not one of the algorithm that the token names.
    if (error instanceof errors.JOSEError || error instanceof TypeError) return false;
    throw error;
  }
}

/** @param key private */
export function signToken(key: KeyObject, keyId: string, claims: JsonObject): Promise<string> {
  return new SignJWT(claims).setProtectedHeader({ alg: algorithmOf(key), kid: keyId }).sign(key);
}

/** The algorithm that a key signs by; empty for a key that signs no tokens. */
export function algorithmOf(key: KeyObject): string {
  if (key.asymmetricKeyType === "rsa") return "RS256";
  return OF_CURVE[key.asymmetricKeyDetails?.namedCurve ?? ""] ?? "";
}
