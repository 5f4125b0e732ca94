import { createDecipheriv, createHash, type KeyObject } from "node:crypto";
import { FailedPrecondition, PermissionDenied, Unsupported } from "@boxship/base/errors";
import { hashName, type PublicMaterial, privateKeyOf } from "./algorithms.ts";
import { ByteReader } from "./byte-reader.ts";

interface Cipher {
  readonly name: string;
  readonly keyBytes: number;
  readonly blockBytes: number;
}

/** RFC 9580 section 9.3: those that are more than history. */
const CIPHERS: Readonly<Record<number, Cipher>> = {
  2: { name: "des-ede3-cfb", keyBytes: 24, blockBytes: 8 },
  7: { name: "aes-128-cfb", keyBytes: 16, blockBytes: 16 },
  8: { name: "aes-192-cfb", keyBytes: 24, blockBytes: 16 },
  9: { name: "aes-256-cfb", keyBytes: 32, blockBytes: 16 },
};

const WITH_SHA1 = 254;
const WITH_SUM = 255;

/**
 * A secret key, unlocked: RFC 9580 section 5.5.3 for keys of version 4.
 *
 * @param secret the part of the packet behind the public one
 * @throws PermissionDenied where the passphrase is another, Unsupported, InvalidArgument
 */
export function unlockSecret(material: PublicMaterial, secret: Buffer, passphrase: string): KeyObject {
  const reader = new ByteReader(secret, "an OpenPGP secret key");
  const usage = reader.byte();
  if (usage === 0) return privateKeyOf(material, new ByteReader(reader.take(reader.left - 2), "an OpenPGP secret key"));
  if (usage !== WITH_SHA1 && usage !== WITH_SUM) {
    throw new Unsupported(`OpenPGP secret keys that are locked in way ${usage} are not supported`);
  }
  const cipherId = reader.byte();
  const cipher = CIPHERS[cipherId];
  const makeKey = readSpecifier(reader);
  if (cipher === undefined) throw new Unsupported(`OpenPGP cipher ${cipherId} is not supported`);
  const iv = reader.take(cipher.blockBytes);
  const decipher = createDecipheriv(cipher.name, makeKey(passphrase, cipher.keyBytes), iv);
  const clear = Buffer.concat([decipher.update(reader.rest()), decipher.final()]);
  const size = usage === WITH_SHA1 ? 20 : 2;
  const [content, sum] = [clear.subarray(0, Math.max(0, clear.length - size)), clear.subarray(-size)];
  const wanted = usage === WITH_SHA1 ? createHash("sha1").update(content).digest() : checksum(content);
  if (!wanted.equals(sum)) throw new PermissionDenied("the passphrase does not unlock the OpenPGP key");
  return privateKeyOf(material, new ByteReader(content, "an OpenPGP secret key"));
}

function checksum(bytes: Buffer): Buffer {
  let sum = 0;
  for (const byte of bytes) sum = (sum + byte) & 0xffff;
  return Buffer.from([sum >> 8, sum & 0xff]);
}

type MakeKey = (passphrase: string, bytes: number) => Buffer;

/** How a passphrase becomes a key, RFC 9580 section 3.7. */
function readSpecifier(reader: ByteReader): MakeKey {
  const kind = reader.byte();
  const hash = reader.byte();
  switch (kind) {
    case 0:
      return (passphrase, bytes) => stretch(hashName(hash), Buffer.from(passphrase), 0, bytes);
    case 1:
    case 3: {
      const salt = reader.take(8);
      const coded = kind === 3 ? reader.byte() : 0;
      const count = kind === 3 ? (16 + (coded & 15)) << ((coded >> 4) + 6) : 0;
      return (passphrase, bytes) =>
        stretch(hashName(hash), Buffer.concat([salt, Buffer.from(passphrase)]), count, bytes);
    }
    case 101:
      throw new FailedPrecondition("the OpenPGP key's secret part is not in this keyring", {
        remedy: "export it by 'gpg --export-secret-keys'",
      });
    default:
      throw new Unsupported(`passphrases of OpenPGP keys in way ${kind} are not supported`);
  }
}

/** Hashes text over and over, `count` bytes at least once, behind as many zeros as keys were made of it before. */
function stretch(hash: string, text: Buffer, count: number, bytes: number): Buffer {
  const key: Buffer[] = [];
  const block = Buffer.concat(Array.from({ length: Math.max(1, Math.ceil(16_384 / text.length)) }, () => text));
  for (let made = 0, zeros = 0; made < bytes; zeros++) {
    const state = createHash(hash).update(Buffer.alloc(zeros));
    for (let left = Math.max(count, text.length); left > 0; left -= block.length) {
      state.update(left >= block.length ? block : block.subarray(0, left));
    }
    const digest = state.digest();
    key.push(digest);
    made += digest.length;
  }
  return Buffer.concat(key).subarray(0, bytes);
}
