import { createHash, type KeyObject } from "node:crypto";
import { Unsupported } from "@boxship/base/errors";
import { type PublicMaterial, readPublicMaterial } from "./algorithms.ts";
import { ByteReader, word } from "./byte-reader.ts";
import { Tag } from "./packets.ts";
import { unlockSecret } from "./secret-key.ts";

/** A key's packet, of version 4. */
export interface KeyPacket {
  /** Seconds since 1970. */
  readonly created: number;
  readonly algorithm: number;
  readonly material: PublicMaterial;
  /** 40 digits. */
  readonly fingerprint: string;
  /** The last 16 of them. */
  readonly keyId: string;
  /** What is hashed of it where something is signed about it. */
  readonly hashed: Buffer;
  /** Undefined: only the public part is there. */
  readonly secret: Buffer | undefined;
}

/** @throws InvalidArgument, Unsupported for other versions */
export function readKeyPacket(tag: number, body: Buffer): KeyPacket {
  const reader = new ByteReader(body, "an OpenPGP key");
  const version = reader.byte();
  if (version !== 4) throw new Unsupported(`OpenPGP keys of version ${version} are not supported`);
  const created = reader.number(4);
  const algorithm = reader.byte();
  const material = readPublicMaterial(algorithm, reader);
  const isSecret = tag === Tag.secretKey || tag === Tag.secretSubkey;
  // Where the public part of an unknown kind ends is not known; nothing needs its secret part.
  const isKnown = material.kind !== "other" || !isSecret;
  const end = material.kind === "other" && !isSecret ? body.length : body.length - reader.left;
  const part = body.subarray(0, end);
  const hashed = Buffer.concat([Buffer.from([0x99]), word(part.length & 0xffff, 2), part]);
  const fingerprint = createHash("sha1").update(hashed).digest("hex").toUpperCase();
  const secret = isSecret && isKnown ? reader.rest() : undefined;
  return { created, algorithm, material, fingerprint, keyId: fingerprint.slice(-16), hashed, secret };
}

/** Whether its secret part has to be unlocked. */
export const isLocked = ({ secret }: KeyPacket): boolean => secret !== undefined && secret[0] !== 0;

/** @throws PermissionDenied where the passphrase is another */
export const unlockKey = ({ material, secret }: KeyPacket, passphrase: string): KeyObject =>
  unlockSecret(material, secret ?? Buffer.alloc(0), passphrase);
