import { type LogEntry, parseLogLine } from "./log-line.ts";

const NEWLINE = 0x0a;
const SPACE = 0x20;
const LETTER_O = 0x6f;
const LETTER_F = 0x46;
const LETTER_P = 0x50;

/** Where things stand in a line as conmon writes it, whose time has nine digits of a second and a zone in full. */
const FRACTION_AT = 19;
const ZONE_AT = 29;
const STREAM_AT = 36;
const TAG_AT = 43;
const TEXT_AT = 45;

const DOT = 0x2e;
const COLON = 0x3a;

const STDERR = 1;
const COMPLETE = 2;
/** The line is not in conmon's usual form: it has to be parsed. */
const UNUSUAL = 4;

/**
 * A piece of a log: some thousand entries at most. They stay bytes in one buffer, because an object for each would cost
 * more than everything else that is done with them.
 */
export class LogBlock {
  readonly bytes: Buffer;
  #length = 0;
  #lines: Int32Array;
  #texts: Int32Array;
  #ends: Int32Array;
  #flags: Uint8Array;

  /** @param bytes whole lines, with their newlines; what is no entry is left out */
  constructor(bytes: Buffer) {
    this.bytes = bytes;
    const room = 64;
    this.#lines = new Int32Array(room);
    this.#texts = new Int32Array(room);
    this.#ends = new Int32Array(room);
    this.#flags = new Uint8Array(room);
    for (let start = 0; start < bytes.length; ) {
      const newline = bytes.indexOf(NEWLINE, start);
      const end = newline < 0 ? bytes.length : newline;
      this.#add(start, end);
      start = end + 1;
    }
  }

  /** How many entries there are. */
  get length(): number {
    return this.#length;
  }

  isStderr(index: number): boolean {
    return ((this.#flags[index] ?? 0) & STDERR) !== 0;
  }

  /** Whether the output's line ends with this entry. */
  isComplete(index: number): boolean {
    return ((this.#flags[index] ?? 0) & COMPLETE) !== 0;
  }

  /** Where the entry's output begins in {@link bytes}. */
  dataStart(index: number): number {
    return this.#texts[index] ?? 0;
  }

  /** Where the entry's output ends in {@link bytes}; its newline is included when the line ends here. */
  dataEnd(index: number): number {
    return (this.#ends[index] ?? 0) + (this.isComplete(index) ? 1 : 0);
  }

  /** Where the next entry's line begins in {@link bytes}. */
  lineEnd(index: number): number {
    return (this.#ends[index] ?? 0) + 1;
  }

  /** RFC 3339 in UTC with nine digits of a second. */
  time(index: number): string {
    const start = this.#lines[index] ?? 0;
    const usual = ((this.#flags[index] ?? 0) & UNUSUAL) === 0 && this.#isUtc(start + ZONE_AT);
    return usual ? `${this.bytes.toString("latin1", start, start + ZONE_AT)}Z` : this.entry(index).time;
  }

  /** Milliseconds since the epoch, with fractions. */
  milliseconds(index: number): number {
    return this.entry(index).milliseconds;
  }

  entry(index: number): LogEntry {
    const line = this.bytes.subarray(this.#lines[index] ?? 0, this.#ends[index] ?? 0);
    const entry = parseLogLine(line);
    if (entry === undefined) throw new RangeError(`there is no entry ${index} of ${this.#length}`);
    return entry;
  }

  /** Leaves out the entries that are not wanted. */
  keep(wanted: (index: number) => boolean): void {
    let kept = 0;
    for (let index = 0; index < this.#length; index++) {
      if (!wanted(index)) continue;
      this.#lines[kept] = this.#lines[index] ?? 0;
      this.#texts[kept] = this.#texts[index] ?? 0;
      this.#ends[kept] = this.#ends[index] ?? 0;
      this.#flags[kept] = this.#flags[index] ?? 0;
      kept++;
    }
    this.#length = kept;
  }

  #add(start: number, end: number): void {
    const { bytes } = this;
    const tag = bytes[start + TAG_AT];
    const usual =
      end >= start + TEXT_AT &&
      bytes[start + FRACTION_AT] === DOT &&
      bytes[start + STREAM_AT - 1] === SPACE &&
      bytes[start + TAG_AT - 1] === SPACE &&
      bytes[start + TEXT_AT - 1] === SPACE &&
      (tag === LETTER_F || tag === LETTER_P) &&
      isTime(bytes, start) &&
      isStream(bytes, start + STREAM_AT);
    if (usual) {
      const stderr = bytes[start + STREAM_AT + 3] !== LETTER_O;
      this.#push(start, start + TEXT_AT, end, (stderr ? STDERR : 0) | (tag === LETTER_F ? COMPLETE : 0));
      return;
    }
    const entry = parseLogLine(bytes.subarray(start, end));
    if (entry === undefined) return;
    const length = entry.data.length - (entry.complete ? 1 : 0);
    const flags = UNUSUAL | (entry.stream === "stderr" ? STDERR : 0) | (entry.complete ? COMPLETE : 0);
    this.#push(start, end - length, end, flags);
  }

  #push(line: number, text: number, end: number, flags: number): void {
    const index = this.#length;
    if (index === this.#flags.length) this.#grow();
    this.#lines[index] = line;
    this.#texts[index] = text;
    this.#ends[index] = end;
    this.#flags[index] = flags;
    this.#length = index + 1;
  }

  #grow(): void {
    const size = this.#flags.length * 4;
    const larger = (old: Int32Array) => {
      const grown = new Int32Array(size);
      grown.set(old);
      return grown;
    };
    this.#lines = larger(this.#lines);
    this.#texts = larger(this.#texts);
    this.#ends = larger(this.#ends);
    const flags = new Uint8Array(size);
    flags.set(this.#flags);
    this.#flags = flags;
  }

  #isUtc(zone: number): boolean {
    return this.bytes.toString("latin1", zone, zone + 6) === "+00:00";
  }
}

const isDigit = (byte: number | undefined) => byte !== undefined && byte >= 0x30 && byte <= 0x39;

/** Enough to tell a line of conmon's from one that only has spaces in the same places. */
function isTime(bytes: Buffer, start: number): boolean {
  return (
    isDigit(bytes[start]) &&
    bytes[start + 10] === 0x54 &&
    bytes[start + 13] === COLON &&
    bytes[start + 16] === COLON &&
    isDigit(bytes[start + ZONE_AT - 1]) &&
    bytes[start + ZONE_AT + 3] === COLON
  );
}

/** `stdout` or `stderr`. */
function isStream(bytes: Buffer, start: number): boolean {
  if (bytes[start] !== 0x73 || bytes[start + 1] !== 0x74 || bytes[start + 2] !== 0x64) return false;
  if (bytes[start + 3] === LETTER_O) return bytes[start + 4] === 0x75 && bytes[start + 5] === 0x74;
  return bytes[start + 3] === 0x65 && bytes[start + 4] === 0x72 && bytes[start + 5] === 0x72;
}
