import type { Clock, Logger, Timer } from "@boxship/base";
import type { NetworkThread } from "../worker/network-thread.ts";

export interface LingeringLinksOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly thread: NetworkThread;
}

/** Long enough for the kernel to take a namespace apart by itself, which costs us nothing. */
const PATIENCE = 2000;

/**
 * The host's ends of interfaces whose sandbox was removed. The kernel deletes them with the namespace, some ten
 * milliseconds later and many at once; asking for each one would hold its routing lock for as long. Only when something
 * keeps a namespace alive (a process that joined it) are they deleted by name.
 */
export class LingeringLinks {
  readonly #options: LingeringLinksOptions;
  readonly #byAddress = new Map<string, string>();
  #timer: Timer | undefined;

  constructor(options: LingeringLinksOptions) {
    this.#options = options;
  }

  add(link: string, addresses: readonly string[]): void {
    for (const address of addresses) this.#byAddress.set(address, link);
    this.#timer ??= this.#options.clock.setTimeout(PATIENCE, () => {
      this.flush().catch((error: unknown) => this.#options.logger.warn("cannot remove links", { error }));
    });
  }

  /** The link that had an address and may still answer for it; whoever takes it deletes it. */
  take(address: string): string | undefined {
    const link = this.#byAddress.get(address);
    this.#byAddress.delete(address);
    return link;
  }

  /** Deletes those that are still there. */
  async flush(): Promise<void> {
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
    const links = new Set(this.#byAddress.values());
    this.#byAddress.clear();
    await Promise.all([...links].map((link) => this.#options.thread.call("removeLink", link, "background")));
  }
}
