import { createHash } from "node:crypto";

/** Numbers from 0 to below 1 that are the same for the same seed (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const hash = (text: string): string => createHash("sha256").update(text).digest("hex");

const ALPHABET = "bcdfghjklmnpqrstvwxz2456789";

/** Names and UIDs that depend on nothing but the seed and how many of their sort there were. */
export class SeededNaming {
  readonly #seed: number;
  readonly #counts = new Map<string, number>();

  constructor(seed: number) {
    this.#seed = seed;
  }

  #next(what: string): string {
    const count = this.#counts.get(what) ?? 0;
    this.#counts.set(what, count + 1);
    return hash(`${this.#seed} ${what} ${count}`);
  }

  suffix(resource: string, base: string): string {
    const digits = this.#next(`${resource} ${base}`);
    return Array.from({ length: 5 }, (_, at) => {
      return ALPHABET[Number.parseInt(digits.slice(at * 2, at * 2 + 2), 16) % ALPHABET.length];
    }).join("");
  }

  uid(resource: string, namespace: string, name: string): string {
    const digits = this.#next(`${resource} ${namespace} ${name}`);
    const parts = [digits.slice(0, 8), digits.slice(8, 12), `4${digits.slice(13, 16)}`, `8${digits.slice(17, 20)}`];
    return [...parts, digits.slice(20, 32)].join("-");
  }
}
