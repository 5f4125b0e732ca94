import { randomBytes } from "node:crypto";
import type { Duplex } from "node:stream";

/** Connections that builds have asked their clients for, until these bring them. */
export class AskedStreams {
  readonly #waiting = new Map<string, (stream: Duplex) => void>();

  /** @param tell sends the client the name under which the connection is to be brought */
  async ask(tell: (token: string) => Promise<void> | undefined, signal: AbortSignal): Promise<Duplex> {
    const token = randomBytes(16).toString("hex");
    const { promise, resolve, reject } = Promise.withResolvers<Duplex>();
    const onAbort = () => reject(signal.reason);
    this.#waiting.set(token, resolve);
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      signal.throwIfAborted();
      await tell(token);
      return await promise;
    } finally {
      this.#waiting.delete(token);
      signal.removeEventListener("abort", onAbort);
    }
  }

  /** Who waits for the connection of that name; undefined for nobody. */
  take(token: string): ((stream: Duplex) => void) | undefined {
    const waiting = this.#waiting.get(token);
    this.#waiting.delete(token);
    return waiting;
  }
}
