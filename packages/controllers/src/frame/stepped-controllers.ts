import type { Clock, FakeClock } from "@boxship/base";
import { silentLogger } from "@boxship/base";
import type { ApiClient } from "@boxship/client";
import type { ControllerClient, ControllerDefinition, EventSink } from "../contract.ts";
import { ObservedClient } from "./observed-client.ts";
import { RunningController, type Step } from "./running-controller.ts";
import { SharedInformers } from "./shared-informers.ts";

/** Looks that may be needed until nothing is left to do. */
const MOST_STEPS = 20_000;

/** What a controller is given instead of the plain client and of real events. */
export interface Dressed {
  readonly client: ControllerClient;
  readonly events: EventSink;
}

export interface SteppedControllersOptions {
  /** Stays the caller's. */
  readonly client: ApiClient;
  readonly definitions: readonly ControllerDefinition[];
  /** Of the controllers; only its owner moves it. */
  readonly clock: Clock;
  /** The newest revision of each resource, of all that was written before the call. */
  readonly newest: () => Promise<ReadonlyMap<string, number>>;
  readonly dress: (definition: ControllerDefinition, client: ControllerClient, informers: SharedInformers) => Dressed;
  /** Is told what failed. */
  readonly failed: (controller: string, step: Step) => void;
}

/** Controllers that work only when they are told to, one key at a time: the same world does the same things. */
export class SteppedControllers implements AsyncDisposable {
  readonly #options: SteppedControllersOptions;
  readonly #informers: SharedInformers;
  readonly #running: readonly RunningController[];

  constructor(options: SteppedControllersOptions) {
    const { client, definitions, clock, dress } = options;
    this.#options = options;
    // They wait for the server, whose time goes on.
    this.#informers = new SharedInformers({ client, logger: silentLogger });
    const observed = new ObservedClient(client, this.#informers);
    this.#running = definitions.map((definition) => {
      const dressed = dress(definition, observed, this.#informers);
      return new RunningController({ definition, ...dressed, informers: this.#informers, clock, logger: silentLogger });
    });
  }

  async start(): Promise<void> {
    await this.#informers.start();
  }

  /** Every cache knows what the store has. */
  async #caughtUp(): Promise<void> {
    const newest = await this.#options.newest();
    for (const [name, informer] of [...this.#informers.all()]) {
      await informer.synced;
      const revision = newest.get(name) ?? 0;
      await informer.until(() => Number(informer.version) >= revision);
    }
  }

  /**
   * Works until nothing is left to do at this time.
   *
   * @returns whether anything was written
   */
  async settle(): Promise<boolean> {
    await this.#caughtUp();
    let wrote = false;
    for (let steps = 0; ; steps++) {
      if (steps > MOST_STEPS) throw new Error(`there is no end to what the controllers do at one time`);
      const next = this.#running.find(({ waiting }) => waiting > 0);
      if (next === undefined) return wrote;
      const done = await next.step();
      if (done?.error !== undefined) this.#options.failed(next.name, done);
      if (done?.wrote === true) {
        wrote = true;
        await this.#caughtUp();
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const one of this.#running) one[Symbol.dispose]();
    await this.#informers[Symbol.asyncDispose]();
  }
}

/** Moves a clock, and settles at each time at which something is due. */
export async function advance(clock: FakeClock, ms: number, settle: () => Promise<unknown>): Promise<void> {
  await settle();
  const end = clock.now() + ms;
  for (let next = clock.nextAt; next !== undefined && next <= end; next = clock.nextAt) {
    await clock.advance(next - clock.now());
    await settle();
  }
  await clock.advance(end - clock.now());
}
