import type { Pulse } from "@boxship/controllers";

/** Which nodes are there. Their leases are not renewed: whoever wants to know asks here. */
export class Pulses implements Pulse {
  readonly #silent = new Set<string>();
  #listeners: ((node: string) => void)[] = [];

  isBeating(node: string): boolean {
    return !this.#silent.has(node);
  }

  listen(listener: (node: string) => void): void {
    this.#listeners.push(listener);
  }

  /** Those who listened are gone: the controllers start anew. */
  forgetListeners(): void {
    this.#listeners = [];
  }

  set(node: string, isThere: boolean): void {
    if (isThere) this.#silent.delete(node);
    else this.#silent.add(node);
    for (const listener of this.#listeners) listener(node);
  }

  get silent(): number {
    return this.#silent.size;
  }
}
