import { type ByteString, byteSlice } from "./bytes.ts";

/** Extended header records (pax(5), "pax Extended Header"): `length key=value\n`, values are bytes. */
export type PaxRecords = Map<string, Buffer>;

const NEWLINE = 0x0a;
const EQUALS = 0x3d;
const SPACE = 0x20;

/**
 * Parses the body of an `x` or `g` header into `records`; an empty value deletes (and so hides a global record).
 *
 * `GNU.sparse.offset` and `GNU.sparse.numbytes` (sparse format 0.0) repeat, one pair per extent: they are gathered as
 * one comma-separated `GNU.sparse.map`, which is what format 0.1 writes.
 *
 * @returns a description of what is malformed, or undefined
 */
export function parsePaxRecords(body: Buffer, records: PaxRecords): string | undefined {
  const extents: string[] = [];
  let position = 0;
  while (position < body.length) {
    let length = 0;
    let cursor = position;
    for (; cursor < body.length && body[cursor] !== SPACE; cursor++) {
      const digit = (body[cursor] as number) - 0x30;
      if (digit < 0 || digit > 9 || cursor - position > 10) return "an extended header record has no valid length";
      length = length * 10 + digit;
    }
    const end = position + length;
    if (length === 0 || end > body.length || end <= cursor + 1 || body[end - 1] !== NEWLINE) {
      return "an extended header record has a wrong length";
    }
    const equals = body.indexOf(EQUALS, cursor + 1);
    if (equals === -1 || equals >= end) return "an extended header record has no value";
    const key = byteSlice(body, cursor + 1, equals);
    const value = body.subarray(equals + 1, end - 1);
    if (key === "GNU.sparse.offset" || key === "GNU.sparse.numbytes") extents.push(value.toString("latin1"));
    else records.set(key, Buffer.from(value));
    position = end;
  }
  if (extents.length > 0) records.set("GNU.sparse.map", Buffer.from(extents.join(","), "latin1"));
  return undefined;
}

const XATTR = "SCHILY.xattr.";
const LIBARCHIVE_XATTR = "LIBARCHIVE.xattr.";

/** The extended attributes among the records, of every dialect: SCHILY (Go, GNU, star), libarchive, Red Hat's label. */
export function xattrsOf(records: PaxRecords): Map<ByteString, Buffer> | undefined {
  let xattrs: Map<ByteString, Buffer> | undefined;
  for (const [key, value] of records) {
    let name: string;
    let bytes = value;
    if (key.startsWith(XATTR)) name = key.slice(XATTR.length);
    else if (key.startsWith(LIBARCHIVE_XATTR)) {
      name = percentDecode(key.slice(LIBARCHIVE_XATTR.length));
      // The same attribute as SCHILY.xattr is byte-exact without a decoding step.
      if (records.has(XATTR + name)) continue;
      bytes = Buffer.from(value.toString("latin1"), "base64");
    } else if (key === "RHT.security.selinux") name = "security.selinux";
    else continue;
    xattrs ??= new Map();
    xattrs.set(name as ByteString, bytes);
  }
  return xattrs;
}

function percentDecode(text: string): string {
  return text.replaceAll(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

/** A decimal integer record, NaN when malformed or beyond a safe integer. */
export function paxInteger(value: Buffer): number {
  const text = value.toString("latin1");
  if (!/^-?[0-9]{1,16}$/.test(text)) return Number.NaN;
  const number = Number(text);
  return Number.isSafeInteger(number) ? number : Number.NaN;
}

/** A time record (`-12.345`): seconds rounded down and nanoseconds; undefined when malformed. */
export function paxTime(value: Buffer): { readonly seconds: number; readonly nanoseconds: number } | undefined {
  const match = /^(-?)([0-9]{1,15})(?:\.([0-9]*))?$/.exec(value.toString("latin1"));
  if (match === null) return undefined;
  const [, sign, whole = "0", fraction = ""] = match;
  const seconds = Number(whole);
  const nanoseconds = Number(fraction.slice(0, 9).padEnd(9, "0"));
  if (sign !== "-") return { seconds, nanoseconds };
  return nanoseconds === 0
    ? { seconds: -seconds, nanoseconds: 0 }
    : { seconds: -seconds - 1, nanoseconds: 1e9 - nanoseconds };
}

/** The text of a time record; {@link paxTime} reads it back exactly. */
export function formatPaxTime(seconds: number, nanoseconds: number): string {
  const negative = seconds < 0 && nanoseconds > 0;
  const whole = negative ? seconds + 1 : seconds;
  const rest = negative ? 1e9 - nanoseconds : nanoseconds;
  const sign = negative && whole === 0 ? "-" : "";
  const fraction = rest === 0 ? "" : `.${String(rest).padStart(9, "0").replace(/0+$/, "")}`;
  return `${sign}${whole}${fraction}`;
}

/** One record as bytes; its length counts its own digits. */
export function encodePaxRecord(key: string, value: Buffer): Buffer {
  const rest = key.length + value.length + 3;
  let length = rest + String(rest).length;
  if (rest + String(length).length !== length) length = rest + String(length).length;
  const record = Buffer.allocUnsafe(length);
  const prefix = `${length} ${key}=`;
  record.write(prefix, 0, "latin1");
  value.copy(record, prefix.length);
  record[length - 1] = NEWLINE;
  return record;
}
