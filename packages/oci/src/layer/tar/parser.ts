import { InvalidArgument, Unsupported } from "@boxship/base/errors";
import { type ByteString, byteSlice, quote } from "./bytes.ts";
import { BLOCK, paddingOf, type SparseExtent, type TarEntry } from "./entry.ts";
import { decodeHeader, type RawHeader } from "./header.ts";
import { checksumMatches, readNumber } from "./numbers.ts";
import { type PaxRecords, parsePaxRecords } from "./pax.ts";
import { resolveEntry } from "./resolve.ts";
import { isValidMap, MAX_EXTENTS, readOldGnuExtents, SparseMapReader } from "./sparse.ts";

/** Receives an archive's members in order: `entry`, then `data` any number of times for a file, then `end`. */
export interface TarHandler {
  entry(entry: TarEntry): void;
  /**
   * A piece of the file's content, to be placed at `offset` of the file. The bytes may be overwritten once the call
   * returns. Holes of sparse files are not delivered.
   */
  data(chunk: Buffer, offset: number): void;
  end(entry: TarEntry): void;
}

export interface TarLimits {
  /** Largest extended header (PAX records, GNU long name) in bytes. @default 1 MiB */
  readonly maxHeaderBytes?: number;
}

interface ExtendedHeader {
  readonly flag: string;
  readonly body: Buffer;
  filled: number;
}

type State = "header" | "extended" | "old-sparse" | "sparse-map" | "body" | "padding" | "finished";

/**
 * Reads V7, ustar, PAX, GNU and star archives that are pushed into it in pieces of any size. Synchronous and without
 * buffers of its own beyond one block and one extended header.
 *
 * What is malformed, truncated or corrupt throws `InvalidArgument` that names the member and its offset; after that the
 * parser must not be used again. Bytes behind the end-of-archive mark are ignored, as every tar does.
 */
export class TarParser {
  readonly #handler: TarHandler;
  readonly #maxHeaderBytes: number;
  readonly #scratch = Buffer.alloc(BLOCK);
  #filled = 0;
  #state: State = "header";
  /** Offset in the archive of the next byte, and of the header of the current member. */
  #offset = 0;
  #entryOffset = 0;
  #zeroBlocks = 0;

  #extended: ExtendedHeader | undefined;
  readonly #global: PaxRecords = new Map();
  #local: PaxRecords = new Map();
  #longName: ByteString | undefined;
  #longLink: ByteString | undefined;
  #pending = false;

  #lastName: ByteString | undefined;
  #header: RawHeader | undefined;
  #entry: TarEntry | undefined;
  #sparse: readonly SparseExtent[] | undefined;
  #oldExtents: SparseExtent[] = [];
  #mapReader: SparseMapReader | undefined;
  /** Of the current body: bytes still to come, and those that pad it. */
  #remaining = 0;
  #padding = 0;
  #position = 0;
  #extent = 0;

  constructor(handler: TarHandler, limits: TarLimits = {}) {
    this.#handler = handler;
    this.#maxHeaderBytes = limits.maxHeaderBytes ?? 1 << 20;
  }

  /** Takes the next piece of the archive. */
  push(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      const taken = this.#step(chunk, at);
      at += taken;
      this.#offset += taken;
    }
  }

  /** Says that the archive has ended. A missing end-of-archive mark is accepted, a member cut short is not. */
  finish(): void {
    const between = this.#state === "header" && this.#filled === 0 && !this.#pending;
    if (!between && this.#state !== "finished") throw this.#invalid("the archive is truncated");
  }

  /** Whether the end-of-archive mark has been seen. */
  get finished(): boolean {
    return this.#state === "finished";
  }

  /** @returns how many bytes of the chunk it took: at least one */
  #step(chunk: Buffer, at: number): number {
    const available = chunk.length - at;
    switch (this.#state) {
      case "body":
        return this.#body(chunk, at, Math.min(available, this.#remaining));
      case "padding": {
        const taken = Math.min(available, this.#padding);
        this.#padding -= taken;
        if (this.#padding === 0) this.#state = "header";
        return taken;
      }
      case "extended":
        return this.#extendedBody(chunk, at, available);
      case "finished":
        return available;
      default:
        return this.#block(chunk, at, available);
    }
  }

  /** Gathers a whole block, out of the chunk itself where it lies in one piece. */
  #block(chunk: Buffer, at: number, available: number): number {
    if (this.#filled === 0 && this.#state === "header" && !this.#pending) this.#entryOffset = this.#offset;
    if (this.#filled === 0 && available >= BLOCK) {
      this.#onBlock(chunk, at);
      return BLOCK;
    }
    const taken = Math.min(available, BLOCK - this.#filled);
    chunk.copy(this.#scratch, this.#filled, at, at + taken);
    this.#filled += taken;
    if (this.#filled === BLOCK) {
      this.#filled = 0;
      this.#onBlock(this.#scratch, 0);
    }
    return taken;
  }

  #onBlock(block: Buffer, at: number): void {
    if (this.#state === "header") this.#onHeader(block, at);
    else if (this.#state === "old-sparse") this.#onOldSparse(block, at);
    else this.#onSparseMap(block, at);
  }

  #onHeader(block: Buffer, at: number): void {
    if (isZero(block, at)) {
      if (this.#pending) throw this.#invalid("an extended header belongs to no entry");
      if (++this.#zeroBlocks === 2) this.#state = "finished";
      return;
    }
    if (this.#zeroBlocks > 0) throw this.#invalid("a lone block of zeros stands inside the archive");
    if (!checksumMatches(block, at)) throw this.#invalid("the header's checksum is wrong");
    const header = decodeHeader(block, at);
    if (typeof header === "string") throw this.#invalid(`the header's ${header} is malformed`);
    this.#header = header;
    switch (header.typeFlag) {
      case "x":
      case "X":
      case "g":
      case "L":
      case "K":
        this.#startExtended(header);
        return;
      case "V":
        // A volume label is a comment, it has no content.
        this.#reset();
        return;
      case "S":
        this.#startOldSparse(block, at);
        return;
      default:
        this.#startEntry();
    }
  }

  #startExtended(header: RawHeader): void {
    if (header.size > this.#maxHeaderBytes || header.size < 0) {
      throw this.#invalid(`an extended header of ${header.size} bytes exceeds the limit of ${this.#maxHeaderBytes}`);
    }
    this.#pending = header.typeFlag !== "g";
    this.#extended = { flag: header.typeFlag, body: Buffer.allocUnsafe(header.size), filled: 0 };
    this.#padding = paddingOf(header.size);
    this.#state = "extended";
    if (header.size === 0) this.#finishExtended();
  }

  #extendedBody(chunk: Buffer, at: number, available: number): number {
    const extended = this.#extended as ExtendedHeader;
    const taken = Math.min(available, extended.body.length - extended.filled);
    chunk.copy(extended.body, extended.filled, at, at + taken);
    extended.filled += taken;
    if (extended.filled === extended.body.length) this.#finishExtended();
    return taken;
  }

  #finishExtended(): void {
    const { flag, body } = this.#extended as ExtendedHeader;
    this.#extended = undefined;
    if (flag === "L" || flag === "K") {
      const end = body.indexOf(0);
      const name = byteSlice(body, 0, end === -1 ? body.length : end);
      if (flag === "L") this.#longName = name;
      else this.#longLink = name;
    } else {
      const problem = parsePaxRecords(body, flag === "g" ? this.#global : this.#local);
      if (problem !== undefined) throw this.#invalid(problem);
      this.#checkGlobalSize();
    }
    this.#state = this.#padding > 0 ? "padding" : "header";
  }

  /** Global records add up over many headers, each within its limit. */
  #checkGlobalSize(): void {
    let total = 0;
    for (const [key, value] of this.#global) total += key.length + value.length;
    for (const [key, value] of this.#local) total += key.length + value.length;
    if (total > 2 * this.#maxHeaderBytes) throw this.#invalid("its extended headers exceed the limit");
  }

  #startOldSparse(block: Buffer, at: number): void {
    this.#oldExtents = [];
    if (!readOldGnuExtents(block, at + 386, 4, this.#oldExtents)) throw this.#invalid("its sparse map is malformed");
    const realSize = readNumber(block, at + 483, 12);
    if (Number.isNaN(realSize)) throw this.#invalid("its real size is malformed");
    this.#local.set("GNU.sparse.realsize", Buffer.from(String(realSize)));
    if (block[at + 482] === 0) this.#startEntry();
    else this.#state = "old-sparse";
  }

  #onOldSparse(block: Buffer, at: number): void {
    const good = readOldGnuExtents(block, at, 21, this.#oldExtents);
    if (!good || this.#oldExtents.length > MAX_EXTENTS) throw this.#invalid("its sparse map is malformed");
    if (block[at + 504] === 0) this.#startEntry();
  }

  #startEntry(): void {
    const header = this.#header as RawHeader;
    const records = this.#global.size === 0 ? this.#local : new Map([...this.#global, ...this.#local]);
    const resolved = resolveEntry(header, records, this.#longName, this.#longLink, this.#oldExtents);
    if ("unsupported" in resolved) {
      throw new Unsupported(`${this.#where(resolved.name)}: ${resolved.unsupported} is not supported`);
    }
    if ("problem" in resolved) throw this.#invalid(resolved.problem, resolved.name);
    this.#entry = resolved.entry;
    this.#sparse = resolved.entry.sparse;
    this.#remaining = resolved.storedSize;
    this.#padding = paddingOf(resolved.storedSize);
    this.#position = 0;
    this.#extent = 0;
    if (resolved.mapInData) {
      this.#mapReader = new SparseMapReader();
      if (this.#remaining < BLOCK) throw this.#invalid("its sparse map is missing");
      this.#state = "sparse-map";
    } else this.#announce();
  }

  #onSparseMap(block: Buffer, at: number): void {
    const reader = this.#mapReader as SparseMapReader;
    const map = reader.push(block, at);
    this.#remaining -= BLOCK;
    if (map === "malformed") throw this.#invalid("its sparse map is malformed");
    if (map === undefined) {
      if (this.#remaining < BLOCK) throw this.#invalid("its sparse map is cut short");
      return;
    }
    this.#mapReader = undefined;
    this.#entry = { ...(this.#entry as TarEntry), sparse: map };
    this.#sparse = map;
    this.#announce();
  }

  #announce(): void {
    const entry = this.#entry as TarEntry;
    if (this.#sparse !== undefined && !isValidMap(this.#sparse, entry.size, this.#remaining)) {
      throw this.#invalid("its sparse map does not match its size");
    }
    this.#handler.entry(entry);
    this.#state = "body";
    if (this.#remaining === 0) this.#finishEntry();
  }

  #body(chunk: Buffer, at: number, length: number): number {
    let taken = length;
    let offset = this.#position;
    if (this.#sparse !== undefined) {
      let extent = this.#sparse[this.#extent] as SparseExtent;
      while (this.#position === extent.length) {
        this.#position = 0;
        extent = this.#sparse[++this.#extent] as SparseExtent;
      }
      taken = Math.min(length, extent.length - this.#position);
      offset = extent.offset + this.#position;
    }
    this.#handler.data(taken === chunk.length ? chunk : chunk.subarray(at, at + taken), offset);
    this.#position += taken;
    this.#remaining -= taken;
    if (this.#remaining === 0) this.#finishEntry();
    return taken;
  }

  #finishEntry(): void {
    const entry = this.#entry as TarEntry;
    this.#handler.end(entry);
    this.#lastName = entry.name;
    this.#reset();
  }

  #reset(): void {
    this.#state = this.#padding > 0 ? "padding" : "header";
    this.#pending = false;
    this.#entry = undefined;
    this.#header = undefined;
    this.#sparse = undefined;
    if (this.#local.size > 0) this.#local = new Map();
    if (this.#oldExtents.length > 0) this.#oldExtents = [];
    this.#longName = undefined;
    this.#longLink = undefined;
  }

  #where(name: ByteString | undefined): string {
    const known = name ?? this.#entry?.name ?? this.#longName ?? this.#header?.name;
    if (known !== undefined) return `tar entry ${quote(known)} at offset ${this.#entryOffset}`;
    const after = this.#lastName === undefined ? "" : ` after entry ${quote(this.#lastName)}`;
    return `tar archive at offset ${this.#entryOffset}${after}`;
  }

  #invalid(problem: string, name?: ByteString): InvalidArgument {
    return new InvalidArgument(`${this.#where(name)}: ${problem}`);
  }
}

function isZero(block: Buffer, at: number): boolean {
  for (let index = at; index < at + BLOCK; index++) if (block[index] !== 0) return false;
  return true;
}
