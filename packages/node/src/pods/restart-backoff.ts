import type { Clock } from "@boxship/base";

const FIRST_MS = 10_000;
const MOST_MS = 300_000;

interface Entry {
  delay: number;
  /** When it was started again last. */
  at: number;
  /** The end that is waited after, and until when; the latter is monotonic, or a clock that is set back would hold it up for as long. */
  waits?: { readonly endedAt: number; readonly until: number };
}

/**
 * How long a container that ended waits before it is started again: not at all at first, then 10 s, doubled to 5 minutes. One
 * that ran for 10 minutes begins anew.
 */
export class RestartBackoff {
  readonly #clock: Clock;
  readonly #entries = new Map<string, Entry>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Milliseconds that the container has to wait yet. @param endedAt milliseconds since the epoch */
  left(name: string, endedAt: number): number {
    const entry = this.#entries.get(name);
    if (entry === undefined) return 0;
    if (endedAt - entry.at > 2 * MOST_MS) return 0;
    const now = this.#clock.monotonic();
    if (entry.waits?.endedAt !== endedAt) {
      const left = Math.min(entry.delay, endedAt + entry.delay - this.#clock.now());
      entry.waits = { endedAt, until: now + left };
    }
    return Math.max(0, entry.waits.until - now);
  }

  /** The whole wait of the container, for messages. */
  delayOf(name: string): number {
    return this.#entries.get(name)?.delay ?? 0;
  }

  restarted(name: string, endedAt: number): void {
    const entry = this.#entries.get(name);
    const fresh = entry === undefined || endedAt - entry.at > 2 * MOST_MS;
    const delay = fresh ? FIRST_MS : Math.min(MOST_MS, entry.delay * 2);
    this.#entries.set(name, { delay, at: this.#clock.now() });
  }
}
