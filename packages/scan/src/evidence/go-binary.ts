const ELF = Buffer.from("\u007fELF", "latin1");
/** Where Go's linker writes what a program was built of (debug/buildinfo), at a multiple of 16 bytes. */
const MAGIC = Buffer.from("\u00ff Go buildinf:", "latin1");
const HEADER = 32;
/** Strings stand behind the header, instead of addresses as before Go 1.18. */
const INLINE = 2;
const MOST_BYTES = 8 * 1024 * 1024;

/** Finds in the bytes of a program, as they go by, what Go has written of its modules. */
export class GoBinaryReader {
  /** The last bytes: the mark may lie across two pieces. */
  #tail: Buffer = Buffer.alloc(0);
  #found: Buffer[] | undefined;
  #size = 0;
  #isProgram: boolean | undefined;

  take(chunk: Buffer): void {
    if (this.#isProgram === false) return;
    if (this.#found !== undefined) {
      if (this.#size >= MOST_BYTES) return;
      this.#found.push(Buffer.from(chunk));
      this.#size += chunk.length;
      return;
    }
    const bytes = this.#tail.length === 0 ? chunk : Buffer.concat([this.#tail, chunk]);
    if (this.#isProgram === undefined && bytes.length >= ELF.length) this.#isProgram = bytes.subarray(0, 4).equals(ELF);
    const at = bytes.indexOf(MAGIC);
    if (at !== -1) {
      this.#found = [Buffer.from(bytes.subarray(at))];
      this.#size = bytes.length - at;
      return;
    }
    this.#tail = Buffer.from(bytes.subarray(-MAGIC.length));
  }

  /** The module information as text, or undefined if there is none, or none that can be read. */
  buildInfo(): Buffer | undefined {
    if (this.#found === undefined || this.#isProgram !== true) return undefined;
    const bytes = Buffer.concat(this.#found);
    if (bytes.length < HEADER || ((bytes[15] ?? 0) & INLINE) === 0) return undefined;
    const version = readString(bytes, HEADER);
    const modules = version && readString(bytes, version.end);
    if (modules === undefined) return undefined;
    // Sixteen bytes of marks stand before and behind.
    const text = modules.text.length < 33 ? Buffer.alloc(0) : modules.text.subarray(16, -16);
    return Buffer.concat([Buffer.from("go\t"), version?.text ?? Buffer.alloc(0), Buffer.from("\n"), text]);
  }
}

function readString(bytes: Buffer, start: number): { readonly text: Buffer; readonly end: number } | undefined {
  let length = 0;
  let at = start;
  for (let shift = 0; shift < 35; shift += 7) {
    const byte = bytes[at++];
    if (byte === undefined) return undefined;
    length += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80)
      return at + length > bytes.length ? undefined : { text: bytes.subarray(at, at + length), end: at + length };
  }
  return undefined;
}
