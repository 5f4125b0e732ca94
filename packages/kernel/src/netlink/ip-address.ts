import { Buffer } from "node:buffer";
import { isIPv4, isIPv6 } from "node:net";
import { InvalidArgument } from "@boxship/base";

/** Address families as system calls number them. */
export const AddressFamily = { Unspecified: 0, IPv4: 2, Bridge: 7, IPv6: 10 } as const;

/** The 4 or 16 bytes of an IP address in text form (RFC 4291 for IPv6; zone ids are refused). */
export function addressBytes(text: string): Buffer {
  if (isIPv4(text)) return Buffer.from(text.split(".").map(Number));
  if (!isIPv6(text) || text.includes("%")) {
    throw new InvalidArgument(`${JSON.stringify(text)} is not an IP address`, {
      subject: { kind: "address", name: text },
    });
  }
  const [head = "", tail] = text.split("::");
  const before = groups(head);
  const after = tail === undefined ? [] : groups(tail);
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => 0);
  const bytes = Buffer.alloc(16);
  [...before, ...zeros, ...after].forEach((group, index) => bytes.writeUInt16BE(group, index * 2));
  return bytes;
}

function groups(text: string): number[] {
  if (text === "") return [];
  return text.split(":").flatMap((group) => {
    if (!group.includes(".")) return [Number.parseInt(group, 16)];
    const [a = 0, b = 0, c = 0, d = 0] = group.split(".").map(Number);
    return [a * 256 + b, c * 256 + d];
  });
}

/** The canonical text of 4 or 16 address bytes (RFC 5952 for IPv6). */
export function addressText(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join(".");
  if (bytes.length !== 16) throw new InvalidArgument(`an IP address has 4 or 16 bytes, not ${bytes.length}`);
  const words: number[] = [];
  for (let index = 0; index < 16; index += 2) words.push(((bytes[index] ?? 0) << 8) | (bytes[index + 1] ?? 0));
  if (words.slice(0, 5).every((word) => word === 0) && words[5] === 0xffff) {
    return `::ffff:${bytes.slice(12).join(".")}`;
  }
  const { start, length } = longestZeros(words);
  const hex = words.map((word) => word.toString(16));
  if (length < 2) return hex.join(":");
  return `${hex.slice(0, start).join(":")}::${hex.slice(start + length).join(":")}`;
}

function longestZeros(words: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  let start = 0;
  words.forEach((word, index) => {
    if (word !== 0) start = index + 1;
    else if (index - start + 1 > best.length) best = { start, length: index - start + 1 };
  });
  return best;
}

/** The family number of an address in text form. */
export function addressFamily(text: string): number {
  return isIPv4(text) ? AddressFamily.IPv4 : AddressFamily.IPv6;
}

/** `02:42:ac:11:00:02` as six bytes. */
export function macBytes(text: string): Buffer {
  if (!/^[0-9a-f]{2}([:-][0-9a-f]{2}){5}$/i.test(text)) {
    throw new InvalidArgument(`${JSON.stringify(text)} is not a MAC address`, {
      subject: { kind: "address", name: text },
    });
  }
  return Buffer.from(text.replaceAll(/[:-]/g, ""), "hex");
}

/** Six bytes as `02:42:ac:11:00:02`. */
export function macText(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(":");
}
