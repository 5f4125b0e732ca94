import { InvalidArgument } from "@boxship/base/errors";

/** A sum of 24 bits, RFC 9580 section 6.1.1. */
function crc24(bytes: Uint8Array): number {
  let crc = 0xb704ce;
  for (const byte of bytes) {
    crc ^= byte << 16;
    for (let bit = 0; bit < 8; bit++) {
      crc <<= 1;
      if ((crc & 0x1000000) !== 0) crc ^= 0x1864cfb;
    }
  }
  return crc & 0xffffff;
}

const sumText = (bytes: Uint8Array): string => {
  const sum = crc24(bytes);
  return `=${Buffer.from([sum >> 16, (sum >> 8) & 0xff, sum & 0xff]).toString("base64")}`;
};

/** @param kind such as `PGP SIGNATURE` */
export function writeArmor(kind: string, bytes: Buffer): string {
  const lines = bytes.toString("base64").match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${kind}-----`, "", ...lines, sumText(bytes), `-----END ${kind}-----`, ""].join("\n");
}

/**
 * The bytes of a block.
 *
 * @param text from its first line to its last
 * @throws InvalidArgument for what is no such block, or where its sum is another
 */
export function readArmor(kind: string, text: string): Buffer {
  const lines = text.trim().split(/\r?\n/);
  const isWhole =
    lines[0]?.trimEnd() === `-----BEGIN ${kind}-----` && lines.at(-1)?.trimEnd() === `-----END ${kind}-----`;
  if (!isWhole) throw new InvalidArgument(`there is no ${kind}`);
  const inner = lines.slice(1, -1);
  const blank = inner.findIndex((line) => line.trim() === "");
  const heads = blank < 0 ? [] : inner.slice(0, blank);
  if (blank < 0 || heads.some((line) => !/^[\w-]+: /.test(line))) {
    throw new InvalidArgument(`the ${kind} has no empty line behind its head`);
  }
  const body = inner.slice(blank + 1).map((line) => line.trim());
  while (body.at(-1) === "") body.pop();
  const sum = body.at(-1)?.startsWith("=") === true ? body.pop() : undefined;
  const base64 = body.join("");
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(base64) || base64.length % 4 !== 0) {
    throw new InvalidArgument(`the ${kind} is no base64`);
  }
  const bytes = Buffer.from(base64, "base64");
  if (sum !== undefined && sum !== sumText(bytes))
    throw new InvalidArgument(`the ${kind} is damaged: its sum is another`);
  return bytes;
}
