/**
 * Writes a protobuf message from its end to its beginning: what is inside of a message stands there before its length
 * has to be written. A message's last field is therefore written first.
 */
export class BackwardWriter {
  #bytes: Buffer;
  /** Where the first byte stands. */
  #at: number;

  constructor(size = 1024) {
    this.#bytes = Buffer.allocUnsafe(size);
    this.#at = size;
  }

  /** Bytes that are written so far. */
  get length(): number {
    return this.#bytes.length - this.#at;
  }

  clear(): void {
    this.#at = this.#bytes.length;
  }

  /** A copy of what is written; the writer is empty after that. */
  take(): Buffer {
    const taken = Buffer.from(this.#bytes.subarray(this.#at));
    this.clear();
    return taken;
  }

  bytes(bytes: Uint8Array): void {
    this.#room(bytes.length);
    this.#bytes.set(bytes, (this.#at -= bytes.length));
  }

  /** @returns its length in bytes */
  text(text: string): number {
    const length = Buffer.byteLength(text);
    this.#room(length);
    this.#bytes.write(text, (this.#at -= length));
    return length;
  }

  /** An integer that is not negative. */
  varint(value: number): void {
    let size = 1;
    for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) size++;
    this.#room(size);
    this.#at -= size;
    let rest = value;
    for (let at = this.#at; ; at++) {
      if (rest < 128) {
        this.#bytes[at] = rest;
        return;
      }
      this.#bytes[at] = (rest % 128) | 128;
      rest = Math.floor(rest / 128);
    }
  }

  /** An integer of 64 bits; negative ones take ten bytes. */
  integer(value: number | bigint): void {
    if (typeof value === "number" && value >= 0 && value <= Number.MAX_SAFE_INTEGER) {
      this.varint(value);
      return;
    }
    const bytes: number[] = [];
    let rest = BigInt.asUintN(64, BigInt(value));
    for (; rest >= 128n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
    bytes.push(Number(rest));
    this.bytes(Uint8Array.from(bytes));
  }

  double(value: number): void {
    this.#room(8);
    this.#bytes.writeDoubleLE(value, (this.#at -= 8));
  }

  /** @param type 0 varint, 1 eight bytes, 2 with a length */
  tag(number: number, type: 0 | 1 | 2): void {
    this.varint(number * 8 + type);
  }

  #room(size: number): void {
    if (size <= this.#at) return;
    const used = this.length;
    const larger = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, used + size));
    this.#bytes.copy(larger, larger.length - used, this.#at);
    this.#at = larger.length - used;
    this.#bytes = larger;
  }
}
