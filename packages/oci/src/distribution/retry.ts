import { type Clock, sleep } from "@boxship/base";

/** How long a client keeps trying. */
export interface RetryPolicy {
  /** Tries in all, the first included; a blob's count starts over when bytes arrived. @default 5 */
  readonly attempts?: number;
  /** No new try begins after so many milliseconds without progress. @default 60 000 */
  readonly budgetMs?: number;
  /** First pause in milliseconds; it doubles each time. @default 200 */
  readonly baseMs?: number;
  /** Longest pause of our own choice in milliseconds. @default 10 000 */
  readonly maxMs?: number;
}

/** The tries of one request. */
export class Retries {
  readonly #policy: Required<RetryPolicy>;
  readonly #clock: Clock;
  readonly #random: () => number;
  #failed = 0;
  #since: number;

  constructor(policy: RetryPolicy, clock: Clock, random: () => number = Math.random) {
    this.#policy = { attempts: 5, budgetMs: 60_000, baseMs: 200, maxMs: 10_000, ...policy };
    this.#clock = clock;
    this.#random = random;
    this.#since = clock.monotonic();
  }

  /** Bytes arrived: what failed before counts no more. */
  progressed(): void {
    this.#failed = 0;
    this.#since = this.#clock.monotonic();
  }

  /**
   * Waits until the next try is due.
   *
   * @param retryAfter the server's `Retry-After`
   * @returns false if there is to be no further try
   */
  async next(retryAfter: string | undefined, signal: AbortSignal | undefined): Promise<boolean> {
    this.#failed++;
    if (this.#failed >= this.#policy.attempts) return false;
    const pause = retryAfterMs(retryAfter, this.#clock.now()) ?? this.#backoff();
    if (this.#clock.monotonic() - this.#since + pause > this.#policy.budgetMs) return false;
    await sleep(this.#clock, pause, signal);
    return true;
  }

  /** Between half and all of the doubled pause, so that many clients do not come back at once. */
  #backoff(): number {
    const pause = Math.min(this.#policy.maxMs, this.#policy.baseMs * 2 ** (this.#failed - 1));
    return pause * (0.5 + this.#random() / 2);
  }
}

/** `Retry-After` in milliseconds from `now`: seconds or an HTTP date (RFC 9110, section 10.2.3). */
export function retryAfterMs(header: string | undefined, now: number): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d+$/.test(header.trim())) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
