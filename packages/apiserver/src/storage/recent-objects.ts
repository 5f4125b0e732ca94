import type { CachedObject } from "./cached-object.ts";

/** Bytes of each generation's objects. */
const KEPT = 2 * 2 ** 20;

/**
 * Objects that were read one by one a short while ago, as they are now: whoever follows the store puts and forgets what
 * changes. Those of the last megabytes and of the ones before are kept; who is asked for again is among the last.
 */
export class RecentObjects {
  readonly #most: number;
  #young = new Map<string, CachedObject>();
  #old = new Map<string, CachedObject>();
  #size = 0;

  /** @param most bytes of a generation */
  constructor(most = KEPT) {
    this.#most = most;
  }

  get(key: string): CachedObject | undefined {
    const young = this.#young.get(key);
    if (young !== undefined) return young;
    const old = this.#old.get(key);
    if (old !== undefined) this.keep(old);
    return old;
  }

  /** One that was read just now. */
  keep(object: CachedObject): void {
    this.#old.delete(object.key);
    const before = this.#young.get(object.key);
    this.#young.set(object.key, object);
    this.#size += object.bytes.length - (before?.bytes.length ?? 0);
    if (this.#size <= this.#most) return;
    this.#old = this.#young;
    this.#young = new Map();
    this.#size = 0;
  }

  /** A change at a revision: what is kept from before is not true any more. */
  changed(key: string, revision: number): void {
    const kept = this.#young.get(key);
    if (kept !== undefined && kept.revision < revision) {
      this.#young.delete(key);
      this.#size -= kept.bytes.length;
    }
    if ((this.#old.get(key)?.revision ?? revision) < revision) this.#old.delete(key);
  }

  clear(): void {
    this.#young.clear();
    this.#old.clear();
    this.#size = 0;
  }
}
