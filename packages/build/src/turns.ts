import { setImmediate } from "node:timers/promises";

/** How long one piece of work keeps everybody else waiting, in milliseconds. */
const TURN_MS = 10;

/** Cuts long work into turns: `if (turns.over) await turns.next()` between its steps. */
export class Turns {
  #began = performance.now();

  /** It is time for others. */
  get over(): boolean {
    return performance.now() - this.#began > TURN_MS;
  }

  /** Lets others have their turn. */
  async next(): Promise<void> {
    await setImmediate();
    this.#began = performance.now();
  }
}
