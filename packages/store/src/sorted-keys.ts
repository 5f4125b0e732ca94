import { compareKeys } from "./key-range.ts";

/** A set of keys in their order. */
export class SortedKeys {
  readonly #keys: string[] = [];

  get size(): number {
    return this.#keys.length;
  }

  /** Index of the first key that is not before `key`. */
  indexOf(key: string): number {
    let [low, high] = [0, this.#keys.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareKeys(this.#keys[middle] as string, key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  add(key: string): void {
    const last = this.#keys.at(-1);
    if (last === undefined || compareKeys(last, key) < 0) {
      this.#keys.push(key);
      return;
    }
    const at = this.indexOf(key);
    if (this.#keys[at] !== key) this.#keys.splice(at, 0, key);
  }

  delete(key: string): void {
    const at = this.indexOf(key);
    if (this.#keys[at] === key) this.#keys.splice(at, 1);
  }

  /** The keys from `start` up to, and without, `end`, at most so many; an empty `end` is the end of all. */
  between(start: string, end: string, most = Number.POSITIVE_INFINITY): readonly string[] {
    const from = this.indexOf(start);
    return this.#keys.slice(from, Math.min(this.#endOf(end), from + most));
  }

  /** How many {@link between} has. */
  count(start: string, end: string): number {
    return Math.max(0, this.#endOf(end) - this.indexOf(start));
  }

  #endOf(end: string): number {
    return end === "" ? this.#keys.length : this.indexOf(end);
  }
}
