import type { Clock, Timer } from "@boxship/base";

/** The longest that a timer of the platform can wait, in milliseconds. */
const LONGEST = 2 ** 31 - 1;

interface Running {
  readonly ttl: number;
  deadline: number;
  timer: Timer;
}

/** How much time leases have left. Nothing of it is durable: with the store, all of them start anew. */
export class LeaseTimers implements Disposable {
  readonly #clock: Clock;
  readonly #expire: (id: number) => void;
  readonly #running = new Map<number, Running>();

  constructor(clock: Clock, expire: (id: number) => void) {
    this.#clock = clock;
    this.#expire = expire;
  }

  /** Starts a lease's time, or starts it anew. @param ttl seconds */
  start(id: number, ttl: number): void {
    this.stop(id);
    const deadline = this.#clock.monotonic() + ttl * 1000;
    this.#running.set(id, { ttl, deadline, timer: this.#wait(id, deadline) });
  }

  #wait(id: number, deadline: number): Timer {
    const left = deadline - this.#clock.monotonic();
    return this.#clock.setTimeout(Math.min(left, LONGEST), () => {
      const lease = this.#running.get(id);
      if (lease === undefined) return;
      if (lease.deadline <= this.#clock.monotonic()) this.#expire(id);
      else lease.timer = this.#wait(id, lease.deadline);
    });
  }

  stop(id: number): void {
    this.#running.get(id)?.timer[Symbol.dispose]();
    this.#running.delete(id);
  }

  get(id: number): { readonly ttl: number; readonly remaining: number } | undefined {
    const lease = this.#running.get(id);
    if (lease === undefined) return undefined;
    const remaining = Math.max(0, Math.ceil((lease.deadline - this.#clock.monotonic()) / 1000));
    return { ttl: lease.ttl, remaining };
  }

  [Symbol.dispose](): void {
    for (const { timer } of this.#running.values()) timer[Symbol.dispose]();
    this.#running.clear();
  }
}
