import type { Clock } from "@boxship/base";

export interface RateLimiterOptions {
  /** Milliseconds after the first failure of an item; doubled with each. @default 5 */
  readonly base?: number;
  /** @default 1000 seconds */
  readonly most?: number;
  /** Items together: so many at once. @default 100 */
  readonly burst?: number;
  /** And so many a second from then on. @default 10 */
  readonly perSecond?: number;
}

/** How long an item that failed has to wait: longer with each failure, and all together not too many a second. */
export class RateLimiter<Item> {
  readonly #clock: Clock;
  readonly #options: Required<RateLimiterOptions>;
  readonly #failures = new Map<Item, number>();
  /** When the bucket was full last, moved on by what was taken since: monotonic milliseconds. */
  #next = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, options: RateLimiterOptions = {}) {
    this.#clock = clock;
    this.#options = { base: 5, most: 1_000_000, burst: 100, perSecond: 10, ...options };
  }

  /** Counts a failure. @returns milliseconds */
  wait(item: Item): number {
    const failures = this.#failures.get(item) ?? 0;
    this.#failures.set(item, failures + 1);
    const { base, most } = this.#options;
    return Math.max(Math.min(base * 2 ** Math.min(failures, 50), most), this.#takeFromBucket());
  }

  #takeFromBucket(): number {
    const { burst, perSecond } = this.#options;
    const each = 1000 / perSecond;
    const now = this.#clock.monotonic();
    this.#next = Math.max(this.#next, now - burst * each) + each;
    return Math.max(0, this.#next - now);
  }

  failures(item: Item): number {
    return this.#failures.get(item) ?? 0;
  }

  forget(item: Item): void {
    this.#failures.delete(item);
  }
}
