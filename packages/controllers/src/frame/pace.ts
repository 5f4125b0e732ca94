import type { Clock } from "@boxship/base";

/** Looks at one key that wrote something: so many at once, and one more in so many milliseconds. */
const BURST = 100;
const REFILL_MS = 200;
const MOST_KEYS = 4096;

/**
 * Slows down whoever writes for the same key again and again: two that fight over an object, or a controller that does
 * not recognise its own writing. A key that has used up what it may waits; it is never given up.
 */
export class Pace {
  readonly #clock: Clock;
  /** When the key's bucket was full last, moved on by what was taken since. */
  readonly #full = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Milliseconds that the key has to wait. */
  wait(key: string): number {
    const full = this.#full.get(key);
    return full === undefined ? 0 : Math.max(0, full - this.#clock.monotonic());
  }

  wrote(key: string): void {
    const now = this.#clock.monotonic();
    const full = Math.max(this.#full.get(key) ?? Number.NEGATIVE_INFINITY, now - BURST * REFILL_MS) + REFILL_MS;
    this.#full.delete(key);
    this.#full.set(key, full);
    const [oldest] = this.#full.keys();
    if (this.#full.size > MOST_KEYS && oldest !== undefined) this.#full.delete(oldest);
  }
}
