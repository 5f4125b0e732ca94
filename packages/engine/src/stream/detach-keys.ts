import { InvalidArgument } from "@boxship/base";

const DEFAULT_KEYS = "ctrl-p,ctrl-q";

const NAMED: Readonly<Record<string, number>> = { "@": 0, "[": 27, "\\": 28, "]": 29, "^": 30, _: 31 };

/**
 * Bytes of a key sequence such as `ctrl-p,ctrl-q` or `a,ctrl-@`.
 *
 * @throws InvalidArgument with Docker's text for a key that does not exist
 */
export function parseDetachKeys(keys: string = DEFAULT_KEYS): Uint8Array {
  if (keys === "") return new Uint8Array();
  return Uint8Array.from(keys.split(","), (key) => {
    if (key.length === 1) return key.charCodeAt(0);
    const name = key.startsWith("ctrl-") ? key.slice(5) : "";
    if (/^[a-z]$/.test(name)) return name.charCodeAt(0) - 96;
    const code = NAMED[name];
    if (code !== undefined) return code;
    throw new InvalidArgument(`Unknown character: '${key}'`, {
      remedy: "give detach keys as single characters or ctrl-<key>, separated by commas",
    });
  });
}

/** Watches typed bytes for the detach sequence. Bytes of an incomplete sequence are held back until it is decided. */
export class DetachKeyFilter {
  readonly #sequence: Uint8Array;
  #matched = 0;

  constructor(sequence: Uint8Array) {
    this.#sequence = sequence;
  }

  /** What to pass on, and whether the sequence was completed (the rest of the chunk is dropped). */
  push(chunk: Uint8Array): { readonly data: Buffer; readonly detached: boolean } {
    if (this.#sequence.length === 0) return { data: Buffer.from(chunk), detached: false };
    const passed: number[] = [];
    for (const byte of chunk) {
      if (byte !== this.#sequence[this.#matched]) {
        for (const held of this.#sequence.subarray(0, this.#matched)) passed.push(held);
        this.#matched = 0;
      }
      if (byte !== this.#sequence[this.#matched]) passed.push(byte);
      else if (++this.#matched === this.#sequence.length) {
        this.#matched = 0;
        return { data: Buffer.from(passed), detached: true };
      }
    }
    return { data: Buffer.from(passed), detached: false };
  }
}
