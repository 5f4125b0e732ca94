/** In the place of a secret. */
const MASK = Buffer.from("***");
/** Shorter ones are part of too much else. */
const LEAST_BYTES = 8;

/**
 * Takes the values of secrets out of a command's output: whole, or a line of them. A piece that ends with what may be the
 * beginning of one is held back until it is known.
 */
export class SecretMask {
  readonly #values: readonly Buffer[];
  #held = Buffer.alloc(0);

  constructor(secrets: readonly Buffer[]) {
    const parts = secrets.flatMap((secret) => {
      const text = secret.toString("latin1").trim();
      return [text, ...text.split("\n").map((line) => line.trim())];
    });
    const long = [...new Set(parts)].filter((part) => part.length >= LEAST_BYTES);
    this.#values = long.toSorted((a, b) => b.length - a.length).map((part) => Buffer.from(part, "latin1"));
  }

  /** @returns what may be shown of the output so far */
  push(piece: Buffer): Buffer {
    if (this.#values.length === 0) return piece;
    const bytes = Buffer.concat([this.#held, piece]);
    const shown: Buffer[] = [];
    let from = 0;
    for (let found = this.#find(bytes, from); found !== undefined; found = this.#find(bytes, from)) {
      shown.push(bytes.subarray(from, found.at), MASK);
      from = found.at + found.length;
    }
    const rest = bytes.subarray(from);
    const keep = this.#begun(rest);
    this.#held = Buffer.from(rest.subarray(rest.length - keep));
    shown.push(rest.subarray(0, rest.length - keep));
    return Buffer.concat(shown);
  }

  /** What was held back, at the end of the output. */
  end(): Buffer {
    const held = this.#held;
    this.#held = Buffer.alloc(0);
    return held;
  }

  /** The first place of any value, of those there the longest. */
  #find(bytes: Buffer, from: number): { readonly at: number; readonly length: number } | undefined {
    let best: { readonly at: number; readonly length: number } | undefined;
    for (const value of this.#values) {
      const at = bytes.indexOf(value, from);
      if (at !== -1 && (best === undefined || at < best.at)) best = { at, length: value.length };
    }
    return best;
  }

  /** How many bytes at the end may be the beginning of a value. */
  #begun(bytes: Buffer): number {
    let most = 0;
    for (const value of this.#values) {
      for (let length = Math.min(value.length - 1, bytes.length); length > most; length--)
        if (bytes.subarray(bytes.length - length).equals(value.subarray(0, length))) most = length;
    }
    return most;
  }
}
