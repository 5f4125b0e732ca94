/**
 * A file name, link target or attribute name as the bytes that it is: every char code is one byte (0 to 255). Linux
 * names are bytes, not text, and a string of bytes hashes, compares and splits as fast as any string, without a
 * `Buffer` per name.
 */
export type ByteString = string & { readonly [brand]: never };
declare const brand: unique symbol;

/** The bytes `start` to `end` of a buffer. */
export function byteSlice(buffer: Buffer, start: number, end: number): ByteString {
  return buffer.toString("latin1", start, end) as ByteString;
}

/** The UTF-8 bytes of ordinary text. */
export function bytesOf(text: string): ByteString {
  return Buffer.from(text, "utf8").toString("latin1") as ByteString;
}

/** The same bytes as a `Buffer`. */
export function toBuffer(bytes: string): Buffer {
  return Buffer.from(bytes, "latin1");
}

/** For people: the bytes read as UTF-8, with what is not UTF-8 replaced. */
export function toText(bytes: string): string {
  return isAscii(bytes) ? bytes : toBuffer(bytes).toString("utf8");
}

/** A quoted name for messages. */
export function quote(bytes: string): string {
  return JSON.stringify(toText(bytes.length > 256 ? `${bytes.slice(0, 256)}…` : bytes));
}

export function isAscii(bytes: string): boolean {
  for (let index = 0; index < bytes.length; index++) if (bytes.charCodeAt(index) > 0x7f) return false;
  return true;
}
