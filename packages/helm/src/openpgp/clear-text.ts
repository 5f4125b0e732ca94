import type { KeyObject } from "node:crypto";
import { InvalidArgument, PermissionDenied } from "@boxship/base/errors";
import { readArmor, writeArmor } from "./armor.ts";
import { type Certificate, checkSigner, findIssuer, type Signer } from "./keyring.ts";
import { readPackets, Tag } from "./packets.ts";
import { holds, makeSignature, readSignaturePacket, type SignaturePacket, SignatureType } from "./signature-packet.ts";

const BEGIN = "-----BEGIN PGP SIGNED MESSAGE-----";
const SIGNATURE = "PGP SIGNATURE";

/** A text and who is said to have signed it, RFC 9580 section 7. */
export interface ClearText {
  /** As it was signed, with LF. */
  readonly text: string;
  readonly signatures: readonly SignaturePacket[];
}

/** What is hashed: lines without blanks at their ends, CRLF between them. */
const canonical = (text: string): Buffer =>
  Buffer.from(
    text
      .replace(/\n$/, "")
      .split("\n")
      .map((line) => line.replace(/[ \t\r]+$/, ""))
      .join("\r\n"),
  );

/** @throws InvalidArgument for what is no such text */
export function readClearText(message: string): ClearText {
  const lines = message.split("\n").map((line) => line.replace(/\r$/, ""));
  const start = lines.findIndex((line) => line.trimEnd() === BEGIN);
  const blank = lines.indexOf("", start + 1);
  const end = lines.findIndex((line, at) => at > blank && line.trimEnd() === `-----BEGIN ${SIGNATURE}-----`);
  if (start < 0 || blank < 0 || end < 0) throw new InvalidArgument("there is no text with an OpenPGP signature");
  // What stands around the text is not signed: it must not look as if it were.
  if (lines.slice(0, start).some((line) => line.trim() !== "")) {
    throw new InvalidArgument("there is something before the text with an OpenPGP signature");
  }
  const heads = lines.slice(start + 1, blank);
  const strange = heads.find((line) => !/^Hash: [\w, -]+$/.test(line));
  if (strange !== undefined)
    throw new InvalidArgument(`the signed text has a strange head: ${JSON.stringify(strange)}`);
  const inner = lines.slice(blank + 1, end).map((line) => {
    if (line.startsWith("- ")) return line.slice(2);
    if (line.startsWith("-")) throw new InvalidArgument("a line of the signed text begins with a dash");
    return line;
  });
  const packets = readPackets(readArmor(SIGNATURE, lines.slice(end).join("\n")));
  const signatures = packets.filter(({ tag }) => tag === Tag.signature).map(({ body }) => readSignaturePacket(body));
  if (signatures.length === 0) throw new InvalidArgument("there is no OpenPGP signature under the text");
  return { text: `${inner.join("\n")}\n`, signatures };
}

/** @param key's secret part, unlocked */
export function signClearText(text: string, { key }: Signer, secret: KeyObject, now: Date): string {
  const signature = makeSignature(SignatureType.text, key, secret, canonical(text), now);
  const lines = text
    .replace(/\n$/, "")
    .split("\n")
    .map((line) => (line.startsWith("-") ? `- ${line}` : line));
  return [BEGIN, "Hash: SHA512", "", ...lines, writeArmor(SIGNATURE, signature)].join("\n");
}

/** Seconds that clocks may differ. */
const SKEW = 300;

/**
 * Who signed a text: the first of its signatures that is by a key of the keyring has to hold.
 *
 * @throws PermissionDenied for keys that are foreign, revoked or have expired, and for signatures that do not hold
 */
export function verifyClearText({ text, signatures }: ClearText, keyring: readonly Certificate[], now: Date): Signer {
  for (const signature of signatures) {
    const found = findIssuer(keyring, signature);
    if (found === undefined) continue;
    const signer = checkSigner(found.certificate, found.key, now);
    checkSignature(signature, signer, text, now.getTime() / 1000);
    return signer;
  }
  const [first] = signatures;
  const who = first?.issuerFingerprint || first?.issuerKeyId || "nobody";
  throw new PermissionDenied(`the text was signed by key ${who}, which is not in the keyring`, {
    remedy: "import the key if you trust it, or name its file by --keyring",
  });
}

function checkSignature(signature: SignaturePacket, { key }: Signer, text: string, seconds: number): void {
  const refuse = (why: string): PermissionDenied =>
    new PermissionDenied(`the signature by OpenPGP key ${key.fingerprint} ${why}`);
  const { type, hash, created, expiresAfter } = signature;
  if (type !== SignatureType.text && type !== SignatureType.binary) throw refuse("is not about a text");
  if (hash === "sha1") throw refuse("is by SHA-1, which is not safe");
  const lines = canonical(text);
  // Some sign such texts as if they were bytes; their lines are the same.
  if (!holds(signature, key, [lines])) throw refuse("does not hold: the text is another, or was changed");
  if (created > seconds + SKEW) throw refuse("is from the future");
  if (created < key.created) throw refuse("is older than the key");
  if (expiresAfter !== 0 && created + expiresAfter <= seconds) throw refuse("has expired");
}
