import type { Pod } from "../types/pod.ts";
import { endOf, failuresBefore } from "./job-pods.ts";

const FIRST_MS = 10_000;
const MOST_MS = 600_000;

/** How long a job waits after so many failures in a row. */
export function delayAfter(failures: number): number {
  return failures === 0 ? 0 : Math.min(FIRST_MS * 2 ** Math.min(failures - 1, 20), MOST_MS);
}

interface Kept {
  readonly failures: number;
  /** Milliseconds since the epoch. */
  readonly last: number;
}

/** Failures of jobs since something in them succeeded. It is kept in memory alone, as upstream does. */
export class JobBackoff {
  readonly #kept = new Map<string, Kept>();

  /** Takes pods into account that have just ended, in the order in which they did. */
  count(key: string, succeeded: readonly Pod[], failed: readonly Pod[], now: number): void {
    if (succeeded.length + failed.length === 0) return;
    const ends = [
      ...succeeded.map((pod) => ({ at: endOf(pod, now), ok: true })),
      ...failed.map((pod) => ({ at: endOf(pod, now), ok: false })),
    ].sort((left, right) => left.at - right.at);
    let kept: Kept = this.#kept.get(key) ?? { failures: 0, last: 0 };
    for (const { at, ok } of ends) kept = ok ? { failures: 0, last: 0 } : { failures: kept.failures + 1, last: at };
    this.#kept.set(key, kept);
  }

  /** Milliseconds until the next pod may be made. */
  wait(key: string, now: number): number {
    const kept = this.#kept.get(key);
    return kept === undefined ? 0 : Math.max(0, kept.last + delayAfter(kept.failures) - now);
  }

  forget(key: string): void {
    this.#kept.delete(key);
  }
}

/** Milliseconds until an index whose last pod failed may have the next. */
export function indexWait(last: Pod, now: number): number {
  return Math.max(0, endOf(last, now) + delayAfter(failuresBefore(last) + 1) - now);
}
