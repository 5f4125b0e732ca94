import type { Clock, FakeClock } from "@boxship/base";
import { silentLogger } from "@boxship/base";
import type { ApiClient } from "@boxship/client";
import type { ControllerClient, ControllerDefinition, EventSink } from "../contract.ts";
import { ObservedClient, writeCounts } from "./observed-client.ts";
import { RunningController, type Step } from "./running-controller.ts";
import { SharedInformers } from "./shared-informers.ts";

/** Looks of one controller at one key that may be needed until nothing is left to do there. */
const MOST_LOOKS = 5000;

/** What a controller is given instead of the plain client and of real events. */
export interface Dressed {
  readonly client: ControllerClient;
  readonly events: EventSink;
}

/** The look at one key that this is a part of. */
export const currentLook = (): object | undefined => writeCounts.getStore();

/** Writes that take their time. The look that waits for one goes on later; what else its controller has to do goes on now. */
export interface Stalls {
  /** Resolves when the look that is going on has to wait, with {@link currentLook}. */
  next(): Promise<object>;
  /** Lets the one that has waited longest go on, if its time has come. @returns its look */
  resume(): object | undefined;
}

export interface SteppedControllersOptions {
  /** Stays the caller's. */
  readonly client: ApiClient;
  readonly definitions: readonly ControllerDefinition[];
  /** Of the controllers; only its owner moves it. */
  readonly clock: Clock;
  /** The newest revision of each resource, of all that was written before the call; those that are missing are not waited for. */
  readonly newest: () => Promise<ReadonlyMap<string, number>>;
  readonly dress: (definition: ControllerDefinition, client: ControllerClient, informers: SharedInformers) => Dressed;
  /** Is told what failed. */
  readonly failed: (controller: string, step: Step) => void;
  /** @default no write takes any time */
  readonly stalls?: Stalls;
}

interface Waiting {
  readonly name: string;
  readonly step: Promise<Step | undefined>;
}

/** Controllers that work only when they are told to, one key at a time: the same world does the same things. */
export class SteppedControllers implements AsyncDisposable {
  readonly #options: SteppedControllersOptions;
  readonly #informers: SharedInformers;
  readonly #observed: ObservedClient;
  readonly #running: RunningController[];
  /** Looks that wait for slow writes. */
  readonly #waiting = new Map<object, Waiting>();

  constructor(options: SteppedControllersOptions) {
    const { client, definitions } = options;
    this.#options = options;
    // They wait for the server, whose time goes on.
    this.#informers = new SharedInformers({ client, logger: silentLogger });
    this.#observed = new ObservedClient(client, this.#informers);
    this.#running = definitions.map((definition) => this.#open(definition));
  }

  #open(definition: ControllerDefinition): RunningController {
    const { clock, dress } = this.#options;
    const dressed = dress(definition, this.#observed, this.#informers);
    return new RunningController({ definition, ...dressed, informers: this.#informers, clock, logger: silentLogger });
  }

  async start(): Promise<void> {
    await this.#informers.start();
  }

  /** Ends one controller and starts it anew: it knows nothing but what its caches have. */
  restart(name: string): void {
    const definition = this.#options.definitions.find((one) => one.name === name);
    const at = this.#running.findIndex((one) => one.name === name);
    if (definition === undefined || at < 0) return;
    this.#running[at]?.[Symbol.dispose]();
    this.#running[at] = this.#open(definition);
  }

  /** Every cache knows what the store has. */
  async #caughtUp(): Promise<void> {
    const newest = await this.#options.newest();
    for (const [name, informer] of [...this.#informers.all()]) {
      if (!informer.hasSynced) await informer.synced;
      const revision = newest.get(name) ?? 0;
      // Most are, and each wait gives others their turn first.
      if (!(Number(informer.version) >= revision)) await informer.until(() => Number(informer.version) >= revision);
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
    const looks = new Map<string, number>();
    for (;;) {
      const next = this.#resumed() ?? this.#next();
      if (next === undefined) return wrote;
      const done = await this.#work(next);
      if (done.key !== "") countLook(looks, next.name, done.key);
      if (!done.wrote) continue;
      wrote = true;
      await this.#caughtUp();
    }
  }

  #resumed(): Waiting | undefined {
    const look = this.#options.stalls?.resume();
    if (look === undefined) return undefined;
    const waiting = this.#waiting.get(look);
    this.#waiting.delete(look);
    return waiting;
  }

  #next(): Waiting | undefined {
    const controller = this.#running.find(({ waiting }) => waiting > 0);
    return controller === undefined ? undefined : { name: controller.name, step: controller.step() };
  }

  /** To its end, or until it has to wait. @returns whether it may have written, and about what */
  async #work(one: Waiting): Promise<Pick<Step, "key" | "wrote">> {
    const { stalls, failed } = this.#options;
    const isOver = one.step.then(() => undefined);
    const look = await (stalls === undefined ? isOver : Promise.race([isOver, stalls.next()]));
    if (look !== undefined) {
      this.#waiting.set(look, one);
      return { key: "", wrote: true };
    }
    const done = await one.step;
    if (done?.error !== undefined) failed(one.name, done);
    return done ?? { key: "", wrote: false };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const one of this.#running) one[Symbol.dispose]();
    await this.#informers[Symbol.asyncDispose]();
  }
}

/** @throws Error where there is no end to it */
function countLook(looks: Map<string, number>, name: string, key: string): void {
  const many = (looks.get(`${name} ${key}`) ?? 0) + 1;
  if (many > MOST_LOOKS) throw new Error(`there is no end to what the ${name} does about ${key} at one time`);
  looks.set(`${name} ${key}`, many);
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
