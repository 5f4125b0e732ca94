import { setImmediate as turn } from "node:timers/promises";
import { sleep } from "@boxship/base";
import { pendingConnections } from "@boxship/kernel";
import type { Context } from "./context.ts";

/** conmon's queue takes ten. */
const AT_ONCE = 8;
const QUICK_LOOKS = 20;
const LONGEST_WAIT_MS = 1000;

/**
 * Lets clients attach to a container a few at a time, the next when conmon has accepted those before: its queue never is
 * full, and whoever is attached hears all that is written from then on.
 *
 * A connection that waits in the queue gets nothing of what is written meanwhile, and conmon looks for an exited
 * container once before it looks at its sockets: a short one whose clients were not accepted before its start may end
 * unheard.
 */
export class AttachQueue {
  readonly #waiting = new Map<string, (() => Promise<void>)[]>();
  /** Containers whose conmon did not accept the last clients in time. */
  readonly #stuck = new Set<string>();

  /** Runs `attach`, which connects, and waits until the connection is accepted. */
  pass<Result>(context: Context, id: string, attach: () => Promise<Result>): Promise<Result> {
    const { promise, resolve, reject } = Promise.withResolvers<Result>();
    const run = async (): Promise<void> => {
      try {
        const result = await attach();
        await this.#accepted(context, id);
        resolve(result);
      } catch (error) {
        reject(error);
      }
    };
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) {
      this.#waiting.set(id, [run]);
      void this.#serve(id);
    } else waiting.push(run);
    return promise;
  }

  async #serve(id: string): Promise<void> {
    const waiting = this.#waiting.get(id) ?? [];
    while (waiting.length > 0) await Promise.all(waiting.splice(0, AT_ONCE).map((run) => run()));
    this.#waiting.delete(id);
  }

  async #accepted(context: Context, id: string): Promise<void> {
    const path = context.layout.bundleFile(id, "attach");
    const start = context.clock.monotonic();
    for (let look = 1; (pendingConnections(path) ?? 0) > 0; look++) {
      // One that hangs holds up its first clients for a while, and no others.
      if (this.#stuck.has(id)) return;
      if (context.clock.monotonic() - start > LONGEST_WAIT_MS) {
        context.logger.warn("conmon does not accept its clients", { container: id });
        this.#stuck.add(id);
        return;
      }
      await (look < QUICK_LOOKS ? turn() : sleep(context.clock, 1));
    }
    this.#stuck.delete(id);
  }

  /** The container is gone. */
  forget(id: string): void {
    this.#stuck.delete(id);
  }
}
