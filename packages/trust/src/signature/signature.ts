import { type KeyObject, sign, verify } from "node:crypto";
import { decodePayload, encodePayload, type SignedClaim } from "./payload.ts";

/** A signature as a registry keeps it. */
export interface ImageSignature {
  readonly payload: Uint8Array;
  /** base64. */
  readonly signature: string;
}

/** Signs a claim with SHA-256, or as Ed25519 does. */
export function signClaim(claim: SignedClaim, key: KeyObject): ImageSignature {
  const payload = encodePayload(claim);
  return { payload, signature: sign(algorithm(key), payload, key).toString("base64") };
}

/** What a signature says if one of the keys has made it; undefined if none has. @throws InvalidArgument if it says nonsense */
export function verifySignature(signature: ImageSignature, keys: readonly KeyObject[]): SignedClaim | undefined {
  const bytes = Buffer.from(signature.signature, "base64");
  if (!keys.some((key) => isSignedBy(signature.payload, bytes, key))) return undefined;
  return decodePayload(signature.payload);
}

function isSignedBy(payload: Uint8Array, signature: Uint8Array, key: KeyObject): boolean {
  try {
    return verify(algorithm(key), payload, key, signature);
  } catch {
    // A signature that is no signature at all.
    return false;
  }
}

function algorithm({ asymmetricKeyType }: KeyObject): "sha256" | null {
  return asymmetricKeyType === "ed25519" ? null : "sha256";
}
