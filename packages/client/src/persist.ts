import { type Clock, sleep } from "@boxship/base";
import { Backoff } from "./backoff.ts";

export interface PersistOptions {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Is told why, and how long is waited now; what it throws ends the tries. */
  readonly failed?: (error: unknown, milliseconds: number) => void;
  /** Milliseconds before the first try again. @default 100 */
  readonly base?: number;
  /** @default 10_000 */
  readonly most?: number;
}

/** Tries until it succeeds, with waits that double. Rejects with the signal's reason once that is aborted. */
export async function persist<Value>(task: () => Promise<Value>, options: PersistOptions): Promise<Value> {
  const { clock, signal, failed, base = 100, most = 10_000 } = options;
  const backoff = new Backoff({ base, most });
  for (;;) {
    try {
      return await task();
    } catch (error) {
      signal.throwIfAborted();
      const wait = backoff.next();
      failed?.(error, wait);
      await sleep(clock, wait, signal);
    }
  }
}
