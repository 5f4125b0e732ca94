import { type Clock, systemClock, type Timer } from "@boxship/base";
import { RateLimiter, type RateLimiterOptions } from "./rate-limiter.ts";

export interface WorkQueueOptions extends RateLimiterOptions {
  readonly clock?: Clock;
}

/**
 * Items to be worked on, each by one worker at a time. An item that is added while it waits is there once; one that is
 * added while it is worked on comes again when that is done.
 */
export class WorkQueue<Item> implements Disposable {
  readonly #clock: Clock;
  readonly #limiter: RateLimiter<Item>;
  readonly #waiting = new Set<Item>();
  readonly #working = new Set<Item>();
  /** Added while worked on. */
  readonly #again = new Set<Item>();
  readonly #later = new Map<Item, { readonly at: number; readonly timer: Timer }>();
  readonly #takers: ((item: Item | undefined) => void)[] = [];
  #ended = false;

  constructor(options: WorkQueueOptions = {}) {
    this.#clock = options.clock ?? systemClock;
    this.#limiter = new RateLimiter(this.#clock, options);
  }

  /** How many wait for a worker. */
  get length(): number {
    return this.#waiting.size;
  }

  add(item: Item): void {
    if (this.#ended || this.#waiting.has(item)) return;
    if (this.#working.has(item)) {
      this.#again.add(item);
      return;
    }
    const taker = this.#takers.shift();
    if (taker === undefined) {
      this.#waiting.add(item);
      return;
    }
    this.#working.add(item);
    taker(item);
  }

  /** After so many milliseconds; the earliest of several times counts. */
  addAfter(item: Item, ms: number): void {
    if (this.#ended) return;
    if (ms <= 0) {
      this.add(item);
      return;
    }
    const at = this.#clock.monotonic() + ms;
    const known = this.#later.get(item);
    if (known !== undefined && known.at <= at) return;
    known?.timer[Symbol.dispose]();
    const timer = this.#clock.setTimeout(ms, () => {
      this.#later.delete(item);
      this.add(item);
    });
    this.#later.set(item, { at, timer });
  }

  /** After a wait that is longer with each failure. */
  addLimited(item: Item): void {
    this.addAfter(item, this.#limiter.wait(item));
  }

  /** It went well: the next failure is its first. */
  forget(item: Item): void {
    this.#limiter.forget(item);
  }

  failures(item: Item): number {
    return this.#limiter.failures(item);
  }

  /** The next item, when there is one; undefined when the queue has ended. Call {@link done} with it. */
  take(): Promise<Item | undefined> {
    const [item] = this.#waiting;
    if (item !== undefined) {
      this.#waiting.delete(item);
      this.#working.add(item);
      return Promise.resolve(item);
    }
    if (this.#ended) return Promise.resolve(undefined);
    return new Promise((resolve) => this.#takers.push(resolve));
  }

  done(item: Item): void {
    this.#working.delete(item);
    if (this.#again.delete(item)) this.add(item);
  }

  /** Nothing is added any more; what waits is still given out. */
  [Symbol.dispose](): void {
    this.#ended = true;
    for (const { timer } of this.#later.values()) timer[Symbol.dispose]();
    this.#later.clear();
    for (const taker of this.#takers.splice(0)) taker(undefined);
  }
}
