import { Heap } from "./heap.ts";

/**
 * Time as a dependency. Everything that waits takes a {@link Clock}, so that back-off, health checks and controllers
 * are tested on a clock that is wound by hand.
 */
export interface Clock {
  /** Wall-clock time in milliseconds since the epoch. */
  now(): number;
  /** Monotonic milliseconds; only differences mean anything. */
  monotonic(): number;
  /** Runs `callback` once after `ms`. Disposing the timer cancels it; disposing twice is harmless. */
  setTimeout(ms: number, callback: () => void): Timer;
}

/** A pending timer. It keeps the process alive only if {@link Timer.ref} was called. */
export interface Timer extends Disposable {
  /** Keep the event loop alive until the timer has fired. */
  ref(): void;
}

/** The real clock. Timers do not keep the process alive. */
export const systemClock: Clock = {
  now: () => Date.now(),
  // Not `performance`, which Node loads when it is first looked at: a fiftieth of a short program's time.
  monotonic: () => Number(process.hrtime.bigint()) / 1e6,
  setTimeout(ms, callback) {
    let refed = false;
    let timer: NodeJS.Timeout;
    const arm = (left: number): void => {
      timer =
        left > LONGEST_TIMER_MS
          ? setTimeout(() => arm(left - LONGEST_TIMER_MS), LONGEST_TIMER_MS)
          : setTimeout(callback, left);
      if (!refed) timer.unref();
    };
    arm(ms);
    return {
      ref: () => {
        refed = true;
        timer.ref();
      },
      [Symbol.dispose]: () => clearTimeout(timer),
    };
  },
};

/** Node makes a longer one a millisecond. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Resolves after `ms` on the given clock; rejects with the signal's reason when aborted. */
export function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const onAbort = () => {
      timer[Symbol.dispose]();
      reject(signal?.reason);
    };
    const timer = clock.setTimeout(ms, () => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    });
    timer.ref();
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}

interface Waiting {
  readonly id: number;
  readonly at: number;
  readonly callback: () => void;
}

/** A clock for tests: time moves only by {@link FakeClock.advance}. */
export class FakeClock implements Clock {
  #now: number;
  #jumped = 0;
  #sequence = 0;
  /** In the order in which they fire; those that were disposed of are passed over. */
  readonly #queue = new Heap<Waiting>((left, right) => left.at - right.at || left.id - right.id);
  readonly #pending = new Set<number>();

  constructor(start = 0) {
    this.#now = start;
  }

  now(): number {
    return this.#now + this.#jumped;
  }

  monotonic(): number {
    return this.#now;
  }

  /** Somebody sets the clock forth or back: {@link now} is another, and nothing else notices. */
  jump(ms: number): void {
    this.#jumped += ms;
  }

  setTimeout(ms: number, callback: () => void): Timer {
    const id = this.#sequence++;
    this.#pending.add(id);
    this.#queue.push({ id, at: this.#now + Math.max(0, ms), callback });
    return { ref: () => {}, [Symbol.dispose]: () => void this.#pending.delete(id) };
  }

  /** How many timers wait. */
  get waiting(): number {
    return this.#pending.size;
  }

  /** When the next timer fires, on this clock; undefined when none waits. */
  get nextAt(): number | undefined {
    return this.#next()?.at;
  }

  #next(): Waiting | undefined {
    for (let next = this.#queue.peek(); next !== undefined; next = this.#queue.peek()) {
      if (this.#pending.has(next.id)) return next;
      this.#queue.pop();
    }
    return undefined;
  }

  /** Moves time forward, firing due timers in order and letting promises settle after each. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    for (let next = this.#next(); next !== undefined && next.at <= end; next = this.#next()) {
      this.#queue.pop();
      this.#pending.delete(next.id);
      this.#now = Math.max(this.#now, next.at);
      next.callback();
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.#now = end;
    await new Promise((resolve) => setImmediate(resolve));
  }
}
