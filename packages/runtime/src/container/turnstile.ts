import { setImmediate as turn } from "node:timers/promises";

/**
 * Lets callers through one by one, with a turn of the event loop between two of them, so that fifty containers that are
 * started at once do not hold the loop up for fifty times the millisecond that writing a bundle and starting a process
 * takes. A single caller does not wait.
 */
export class Turnstile {
  #last: Promise<unknown> = Promise.resolve();

  pass(): Promise<unknown> {
    const before = this.#last;
    this.#last = before.then(() => turn());
    return before;
  }
}
