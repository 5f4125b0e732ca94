import { type Clock, type Logger, NotFound } from "@boxship/base";
import { runWorkers, WorkQueue } from "@boxship/client";
import type { ControllerClient, ControllerDefinition, EventSink, Reconcile } from "../contract.ts";
import { type WriteCount, writeCounts } from "./observed-client.ts";
import { Pace } from "./pace.ts";
import type { SharedInformers } from "./shared-informers.ts";

export interface RunningControllerOptions {
  readonly definition: ControllerDefinition;
  readonly client: ControllerClient;
  readonly informers: SharedInformers;
  readonly events: EventSink;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface Step {
  readonly key: string;
  readonly wrote: boolean;
  readonly error?: unknown;
}

/** A controller with its queue: worked off by {@link run}, or key by key by {@link step}. */
export class RunningController implements Disposable {
  readonly name: string;
  readonly #options: RunningControllerOptions;
  readonly #queue: WorkQueue<string>;
  readonly #pace: Pace;
  readonly #reconcile: Reconcile;

  constructor(options: RunningControllerOptions) {
    const { definition, clock, ...rest } = options;
    this.name = definition.name;
    this.#options = options;
    this.#queue = new WorkQueue<string>({ clock });
    this.#pace = new Pace(clock);
    this.#reconcile = definition.open({ ...rest, clock, queue: this.#queue });
  }

  /** Keys that wait. */
  get waiting(): number {
    return this.#queue.length;
  }

  /** Works until it is disposed. */
  async run(): Promise<void> {
    const { definition, logger } = this.#options;
    await runWorkers(this.#queue, {
      workers: definition.workers ?? 5,
      logger,
      nameOf: (key) => `${this.name} ${key}`,
      reconcile: async (key) => void (await this.#look(key)),
    });
  }

  /** Works on the first key that waits. @returns whether it wrote anything, and what it failed with */
  async step(): Promise<Step | undefined> {
    if (this.#queue.length === 0) return undefined;
    const key = await this.#queue.take();
    if (key === undefined) return undefined;
    try {
      const writes = await this.#look(key);
      this.#queue.forget(key);
      return { key, wrote: writes > 0 };
    } catch (error) {
      this.#queue.addLimited(key);
      return { key, wrote: true, error };
    } finally {
      this.#queue.done(key);
    }
  }

  /** @returns how often it wrote */
  async #look(key: string): Promise<number> {
    const wait = this.#pace.wait(key);
    if (wait > 0) {
      this.#queue.addAfter(key, wait);
      return 0;
    }
    const counted: WriteCount = { writes: 0 };
    try {
      await writeCounts.run(counted, () => this.#reconcile(key));
    } catch (error) {
      // Gone between the look and the write: whatever is left to do comes with the event of its end.
      if (!(error instanceof NotFound)) throw error;
    } finally {
      if (counted.writes > 0) this.#pace.wrote(key);
    }
    return counted.writes;
  }

  [Symbol.dispose](): void {
    this.#queue[Symbol.dispose]();
  }
}
