import { type Clock, KeyedMutex } from "@boxship/base";
import type { Digest } from "@boxship/oci";

/** Longer than any sweep takes, in milliseconds. */
const RECENT = 60 * 60 * 1000;

/** When digests were last needed anew, so that a sweep that has looked already does not take them. */
export class NeededDigests {
  readonly #needed = new Map<Digest, number>();
  readonly #removals = new KeyedMutex();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  note(digests: readonly Digest[]): void {
    const now = this.#clock.now();
    for (const digest of digests) {
      // The oldest stay in front.
      this.#needed.delete(digest);
      this.#needed.set(digest, now);
    }
    for (const [digest, at] of this.#needed) {
      if (at >= now - RECENT) return;
      this.#needed.delete(digest);
    }
  }

  /** Whether a digest was noted at all, within the last hour. */
  has(digest: Digest): boolean {
    return this.#needed.has(digest);
  }

  /** Whether a digest was noted since then. */
  since(digest: Digest, since: number): boolean {
    return (this.#needed.get(digest) ?? -Infinity) >= since;
  }

  /** Resolves when nobody is removing what has to do with a digest. */
  settled(digest: Digest): Promise<void> {
    return this.#removals.run(digest, () => Promise.resolve());
  }

  /** Removes what has to do with a digest, unless it was noted since a time. @returns whether it did */
  unless(digest: Digest, since: number, remove: () => Promise<boolean>): Promise<boolean> {
    return this.#removals.run(digest, async () => !this.since(digest, since) && (await remove()));
  }
}
