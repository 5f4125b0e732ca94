import type { Clock, Logger, Timer } from "@boxship/base";
import { Compacted, type Store } from "@boxship/store";

/** How long replaced values stay readable, at least. */
const KEPT_MS = 5 * 60 * 1000;

/** Gives up old revisions while there are new ones. Where nothing is written, no timer runs. */
export class Compactor implements Disposable {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #logger: Logger;
  #timer: Timer | undefined;
  #ended = false;

  constructor(store: Store, clock: Clock, logger: Logger) {
    this.#store = store;
    this.#clock = clock;
    this.#logger = logger;
  }

  /** Something was written: what is newest now is the oldest that is kept, later. */
  written(revision: number): void {
    if (this.#timer !== undefined || this.#ended) return;
    this.#timer = this.#clock.setTimeout(KEPT_MS, () => {
      this.#timer = undefined;
      void this.#compact(revision);
    });
  }

  async #compact(revision: number): Promise<void> {
    try {
      await this.#store.compact(revision);
    } catch (error) {
      if (!(error instanceof Compacted) && !this.#ended)
        this.#logger.warn("old revisions cannot be given up", { error });
    }
  }

  [Symbol.dispose](): void {
    this.#ended = true;
    this.#timer?.[Symbol.dispose]();
  }
}
