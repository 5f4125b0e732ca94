import { errorMessage } from "@boxship/base/errors";
import { type Context, warn } from "../context.ts";
import { Failure } from "../failure.ts";

/** `ctrl-p,ctrl-q`: what users of containers know. */
export const DEFAULT_DETACH_KEYS: readonly number[] = [16, 17];

const CONTROL: Readonly<Record<string, number>> = { "@": 0, "[": 27, "\\": 28, "]": 29, "^": 30, _: 31 };

function keyByte(key: string): number {
  if (key === "DEL") return 127;
  const control = /^ctrl-(.)$/.exec(key)?.[1];
  if (control !== undefined) {
    const code = /[a-z]/.test(control) ? control.charCodeAt(0) - 96 : CONTROL[control];
    if (code !== undefined) return code;
  }
  if (key.length === 1 && key.charCodeAt(0) < 128) return key.charCodeAt(0);
  throw new Failure(`Unknown character: '${key}'`, { remedy: "name keys as in --detach-keys ctrl-p,ctrl-q" });
}

/**
 * Reads `--detach-keys`: characters and `ctrl-` followed by a letter or one of `@[\]^_`, with commas between them.
 *
 * @returns the default sequence for an empty text
 * @throws Failure naming the key that does not exist
 */
export function parseDetachKeys(text: string): readonly number[] {
  return text === "" ? DEFAULT_DETACH_KEYS : text.split(",").map(keyByte);
}

/** Keys that cannot be read leave the usual ones in place: what they are for may run already. */
export function detachKeysOrDefault(context: Context, text: string): readonly number[] {
  try {
    return parseDetachKeys(text);
  } catch (error) {
    warn(context, `invalid detach escape keys, using default: ${errorMessage(error)}`);
    return DEFAULT_DETACH_KEYS;
  }
}

/** Looks for the sequence in what is typed. Keys of an unfinished sequence are held back. */
export class DetachWatcher {
  readonly #keys: readonly number[];
  #matched = 0;

  constructor(keys: readonly number[]) {
    this.#keys = keys;
  }

  /** What goes on to the container, and whether the sequence was completed. */
  push(chunk: Buffer): { readonly data: Buffer; readonly detached: boolean } {
    const output: number[] = [];
    for (const byte of chunk) {
      if (byte !== this.#keys[this.#matched] && this.#matched > 0) {
        output.push(...this.#keys.slice(0, this.#matched));
        this.#matched = 0;
      }
      if (byte !== this.#keys[this.#matched]) {
        output.push(byte);
        continue;
      }
      this.#matched++;
      if (this.#matched === this.#keys.length) return { data: Buffer.from(output), detached: true };
    }
    return { data: Buffer.from(output), detached: false };
  }
}
