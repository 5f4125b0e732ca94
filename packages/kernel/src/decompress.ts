import { InvalidArgument, Unsupported } from "@boxship/base";
import { addressOf, keepAlive, NativeLibrary } from "./ffi.ts";

/**
 * Compressed formats that Node has no decoder for, by the libraries that every Debian has: dpkg needs them itself. A call
 * keeps its thread busy for as long as a piece takes, so this is for worker threads.
 */
export type ForeignCompression = "xz" | "bzip2";

/** Decodes a stream piece by piece. Dispose it: its memory is not the garbage collector's. */
export interface ForeignDecoder extends Disposable {
  /** What the next piece of input becomes. @throws InvalidArgument for a corrupt stream */
  push(input: Uint8Array): Iterable<Buffer>;
  /** @throws InvalidArgument when the stream has been cut off */
  finish(): Iterable<Buffer>;
}

const OUTPUT = 256 << 10;
/** No stream may take more memory than this to decode: what `xz -9` needs, several times. */
const MEMORY_LIMIT = 512n << 20n;

/** @throws Unsupported where the library is not installed */
export function openForeignDecoder(compression: ForeignCompression): ForeignDecoder {
  const { library, name } = LIBRARIES[compression];
  try {
    library.open();
  } catch (error) {
    throw new Unsupported(`${compression} compression is not supported: ${name} is not installed`, {
      cause: error,
      remedy: "install it (Debian: liblzma5, libbz2-1.0), or use gzip, zstd or no compression",
    });
  }
  return compression === "xz" ? new XzDecoder() : new Bzip2Decoder();
}

const lzma = new NativeLibrary("liblzma.so.5");
const lzmaDecoder = lzma.bind<number>("lzma_stream_decoder", ["i32", "buffer", "u64", "u32"]);
const lzmaCode = lzma.bind<number>("lzma_code", ["i32", "buffer", "i32"]);
const lzmaEnd = lzma.bind<void>("lzma_end", ["void", "buffer"]);

const bzip2 = new NativeLibrary("libbz2.so.1.0");
const bzInit = bzip2.bind<number>("BZ2_bzDecompressInit", ["i32", "buffer", "i32", "i32"]);
const bzDecompress = bzip2.bind<number>("BZ2_bzDecompress", ["i32", "buffer"]);
const bzEnd = bzip2.bind<number>("BZ2_bzDecompressEnd", ["i32", "buffer"]);

const LIBRARIES = {
  xz: { library: lzma, name: "liblzma.so.5" },
  bzip2: { library: bzip2, name: "libbz2.so.1.0" },
} as const;

/** Where a library's structure for a stream keeps its four words; see lzma/base.h and bzlib.h, 64 bit. */
const LZMA_STREAM = { size: 136, nextIn: 0, availIn: 8, nextOut: 24, availOut: 32, wide: true } as const;
const BZ_STREAM = { size: 80, nextIn: 0, availIn: 8, nextOut: 24, availOut: 32, wide: false } as const;

class StreamState {
  readonly bytes: Buffer;
  readonly output = Buffer.allocUnsafeSlow(OUTPUT);
  readonly #layout: typeof LZMA_STREAM | typeof BZ_STREAM;
  #input: Buffer = Buffer.alloc(0);

  constructor(layout: typeof LZMA_STREAM | typeof BZ_STREAM) {
    this.#layout = layout;
    this.bytes = Buffer.alloc(layout.size);
  }

  give(input: Uint8Array): void {
    const { nextIn, availIn } = this.#layout;
    this.#input = Buffer.from(input.buffer, input.byteOffset, input.byteLength);
    this.bytes.writeBigUInt64LE(input.length === 0 ? 0n : addressOf(this.#input), nextIn);
    this.#writeCount(availIn, input.length);
  }

  get left(): number {
    return this.#readCount(this.#layout.availIn);
  }

  /** Calls once with room for output. @returns the call's result, and what was written */
  step(call: (state: Buffer) => number): { readonly code: number; readonly piece: Buffer } {
    const { nextOut, availOut } = this.#layout;
    this.bytes.writeBigUInt64LE(addressOf(this.output), nextOut);
    this.#writeCount(availOut, OUTPUT);
    const code = call(this.bytes);
    keepAlive(this.#input, this.output, this.bytes);
    return { code, piece: Buffer.from(this.output.subarray(0, OUTPUT - this.#readCount(availOut))) };
  }

  #writeCount(at: number, count: number): void {
    if (this.#layout.wide) this.bytes.writeBigUInt64LE(BigInt(count), at);
    else this.bytes.writeUInt32LE(count, at);
  }

  #readCount(at: number): number {
    return this.#layout.wide ? Number(this.bytes.readBigUInt64LE(at)) : this.bytes.readUInt32LE(at);
  }
}

const LZMA = { ok: 0, streamEnd: 1, memoryLimit: 6, bufferError: 10, run: 0, finish: 3, concatenated: 8 } as const;

class XzDecoder implements ForeignDecoder {
  readonly #state = new StreamState(LZMA_STREAM);

  constructor() {
    const code = lzmaDecoder(this.#state.bytes, MEMORY_LIMIT, LZMA.concatenated);
    if (code !== LZMA.ok) throw new Unsupported(`the xz decoder does not start (${code})`);
  }

  *push(input: Uint8Array): Generator<Buffer> {
    this.#state.give(input);
    yield* this.#run(LZMA.run);
  }

  *finish(): Generator<Buffer> {
    this.#state.give(new Uint8Array());
    yield* this.#run(LZMA.finish);
  }

  *#run(action: number): Generator<Buffer> {
    for (;;) {
      const { code, piece } = this.#state.step((bytes) => lzmaCode(bytes, action));
      if (piece.length > 0) yield piece;
      if (code === LZMA.streamEnd) return;
      const isDone = this.#state.left === 0 && piece.length < OUTPUT;
      if (code === LZMA.ok) {
        if (action === LZMA.run && isDone) return;
        continue;
      }
      if (code === LZMA.bufferError && action === LZMA.run) return;
      if (code === LZMA.bufferError) throw new InvalidArgument("the xz stream is truncated");
      if (code === LZMA.memoryLimit) throw new InvalidArgument("the xz stream needs too much memory to be decoded");
      throw new InvalidArgument(`the xz stream is corrupt (${code})`);
    }
  }

  [Symbol.dispose](): void {
    lzmaEnd(this.#state.bytes);
  }
}

const BZ = { ok: 0, streamEnd: 4 } as const;

class Bzip2Decoder implements ForeignDecoder {
  #state: StreamState | undefined;
  #ended = false;

  *push(input: Uint8Array): Generator<Buffer> {
    for (let rest = input; rest.length > 0; ) {
      // Several streams may follow one another.
      this.#state ??= begin();
      this.#ended = false;
      const state = this.#state;
      state.give(rest);
      for (;;) {
        const { code, piece } = state.step(bzDecompress);
        if (piece.length > 0) yield piece;
        if (code !== BZ.ok && code !== BZ.streamEnd) throw new InvalidArgument(`the bzip2 stream is corrupt (${code})`);
        this.#ended = code === BZ.streamEnd;
        if (this.#ended || (state.left === 0 && piece.length < OUTPUT)) break;
      }
      rest = rest.subarray(rest.length - state.left);
      if (this.#ended) this[Symbol.dispose]();
    }
  }

  finish(): Iterable<Buffer> {
    if (!this.#ended) throw new InvalidArgument("the bzip2 stream is truncated");
    return [];
  }

  [Symbol.dispose](): void {
    if (this.#state !== undefined) bzEnd(this.#state.bytes);
    this.#state = undefined;
  }
}

function begin(): StreamState {
  const state = new StreamState(BZ_STREAM);
  const code = bzInit(state.bytes, 0, 0);
  if (code !== BZ.ok) throw new Unsupported(`the bzip2 decoder does not start (${code})`);
  return state;
}
