import type { SparseExtent } from "./entry.ts";
import { readNumber } from "./numbers.ts";

/** Sparse maps of GNU tar's manual, section "Storing Sparse Files". */

/** More extents than this in one file is taken for an attack on our memory. */
export const MAX_EXTENTS = 1 << 20;

/** Appends the `count` extents of 24 bytes at `offset` of an old GNU header. @returns false when one is malformed */
export function readOldGnuExtents(block: Buffer, offset: number, count: number, extents: SparseExtent[]): boolean {
  for (let index = 0; index < count; index++) {
    const at = offset + index * 24;
    if (block[at] === 0) return true;
    const extent = { offset: readNumber(block, at, 12), length: readNumber(block, at + 12, 12) };
    if (Number.isNaN(extent.offset) || Number.isNaN(extent.length)) return false;
    extents.push(extent);
  }
  return true;
}

/** Pairs a list of decimal numbers (formats 0.1 and 1.0) to extents; undefined when it is malformed. */
export function pairExtents(numbers: readonly string[]): SparseExtent[] | undefined {
  if (numbers.length % 2 !== 0 || numbers.length > 2 * MAX_EXTENTS) return undefined;
  const extents: SparseExtent[] = [];
  for (let index = 0; index < numbers.length; index += 2) {
    const [offset, length] = [numbers[index] ?? "", numbers[index + 1] ?? ""];
    if (!/^[0-9]{1,16}$/.test(offset) || !/^[0-9]{1,16}$/.test(length)) return undefined;
    extents.push({ offset: Number(offset), length: Number(length) });
  }
  return extents;
}

/**
 * Whether a map is in order, free of overlaps, inside a file of `size` bytes, and describes exactly `dataSize` bytes.
 */
export function isValidMap(extents: readonly SparseExtent[], size: number, dataSize: number): boolean {
  let end = 0;
  let total = 0;
  for (const { offset, length } of extents) {
    if (offset < end || length < 0 || offset < 0) return false;
    end = offset + length;
    total += length;
    if (end > size) return false;
  }
  return total === dataSize;
}

/** The map at the head of the data of format 1.0: a count, then pairs, one number a line, padded to a block. */
export class SparseMapReader {
  readonly #extents: SparseExtent[] = [];
  #count = -1;
  #offset = -1;
  #digits = "";
  #blocks = 0;

  /** Takes one block. @returns the map once it is complete, "malformed", or undefined when more is needed */
  push(block: Buffer, start: number): readonly SparseExtent[] | "malformed" | undefined {
    this.#blocks++;
    for (let index = start; index < start + 512; index++) {
      const byte = block[index] as number;
      if (byte >= 0x30 && byte <= 0x39 && this.#digits.length < 16) this.#digits += String.fromCharCode(byte);
      else if (byte !== 0x0a || !this.#line()) return "malformed";
      if (this.#count === this.#extents.length) return this.#extents;
    }
    return undefined;
  }

  #line(): boolean {
    if (this.#digits === "") return false;
    const number = Number(this.#digits);
    this.#digits = "";
    if (this.#count === -1) {
      this.#count = number;
      return number <= MAX_EXTENTS;
    }
    if (this.#offset === -1) this.#offset = number;
    else {
      this.#extents.push({ offset: this.#offset, length: number });
      this.#offset = -1;
    }
    return true;
  }

  /** Bytes taken so far. */
  get length(): number {
    return this.#blocks * 512;
  }
}
