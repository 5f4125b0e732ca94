import type { Json, KubeObject } from "@boxship/api";
import { type Clock, NotFound, Unavailable } from "@boxship/base";
import type { ApiClient, Resource } from "@boxship/client";
import { type ControllerClient, currentLook, type Stalls } from "@boxship/controllers";
import { clientWith } from "./client-with.ts";

export interface GateOptions {
  /** Writes a line, and says which it is. */
  readonly told: (line: string) => number;
  /** Writes a line anew. */
  readonly retold: (at: number, line: string) => void;
  readonly clock: Clock;
  /** Is called before a write that its writer will wait to see. */
  readonly writes: (resource: string) => void;
  /** What is served at paths that the server does not have. */
  readonly raw: (path: string) => Json | undefined;
}

const ENDED = "the controllers have ended";

interface Stalled {
  readonly due: number;
  readonly look: object;
  readonly go: () => void;
}

type Writer = Pick<ApiClient, "create" | "delete" | "patch" | "update">;

/** Between the controllers and the server: where writes fail and take their time, and where controllers end in the middle of one. */
export class Gate implements Stalls {
  readonly #options: GateOptions;
  #failures = 0;
  #endsAtWrite = false;
  #hasEnded = false;
  /** Writes that one may still do, by its name. */
  readonly #left = new Map<string, number>();
  readonly #ended = new Set<string>();
  #slow = { until: 0, latency: 0 };
  readonly #stalled: Stalled[] = [];
  /** Writes that do not wait, by look. */
  readonly #going = new Map<object, number>();
  /** All that the scheduler does counts as one look: it goes on deciding while its writes wait. */
  readonly #schedulerLook = {};
  #turn: Promise<unknown> = Promise.resolve();
  #onStall: (look: object) => void = () => {};
  #onSchedulerStall: () => void = () => {};

  constructor(options: GateOptions) {
    this.#options = options;
  }

  failWrites(count: number): void {
    this.#failures += count;
  }

  endAtNextWrite(): void {
    this.#endsAtWrite = true;
  }

  /** One of them ends with its so many-th write from now. */
  endAfter(who: string, writes: number): void {
    this.#left.set(who, writes);
  }

  /** Each write takes so many milliseconds, until then. */
  slowDown(latency: number, until: number): void {
    this.#slow = { until, latency };
  }

  /** Who asked through it is gone, and starts anew. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Whether somebody sees or writes otherwise than he would like to. */
  get isDisturbed(): boolean {
    return this.#failures > 0 || this.#hasEnded || this.#endsAtWrite || this.#stalled.length > 0 || this.#isSlow;
  }

  get #isSlow(): boolean {
    return this.#options.clock.now() < this.#slow.until;
  }

  /** Whether one of them has ended; from now on it has started anew. */
  takeEnded(who: string): boolean {
    return this.#ended.delete(who);
  }

  next(): Promise<object> {
    return new Promise((resolve) => {
      this.#onStall = resolve;
    });
  }

  resume(): object | undefined {
    const first = this.#stalled.find(({ look }) => look !== this.#schedulerLook);
    return first === undefined || !this.#resume(first) ? undefined : first.look;
  }

  /** Resolves when all that the scheduler writes has to wait. */
  schedulerStalled(): Promise<void> {
    return new Promise((resolve) => {
      this.#onSchedulerStall = resolve;
    });
  }

  /** Lets those writes of the scheduler go on whose time has come. @returns whether there are any */
  resumeScheduler(): boolean {
    const own = this.#stalled.filter(({ look }) => look === this.#schedulerLook);
    return own.filter((one) => this.#resume(one)).length > 0;
  }

  #resume(one: Stalled): boolean {
    if (one.due > this.#options.clock.now()) return false;
    this.#stalled.splice(this.#stalled.indexOf(one), 1);
    this.#count(one.look, 1);
    one.go();
    return true;
  }

  /** Who asked through it is gone: what waits fails. */
  end(): void {
    this.#hasEnded = true;
    for (const { go } of this.#stalled.splice(0)) go();
  }

  /** A look may write several things at once: it waits when all that it still does wait. */
  #count(look: object, change: 1 | -1): void {
    this.#going.set(look, (this.#going.get(look) ?? 0) + change);
    setImmediate(() => {
      if (this.#going.get(look) !== 0) return;
      this.#going.delete(look);
      if (!this.#stalled.some((one) => one.look === look)) return;
      if (look === this.#schedulerLook) this.#onSchedulerStall();
      else this.#onStall(look);
    });
  }

  async #stall(look: object): Promise<void> {
    const { clock } = this.#options;
    const { latency } = this.#slow;
    // The time is one at which somebody has to look again.
    clock.setTimeout(latency, () => {});
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#stalled.push({ due: clock.now() + latency, look, go: resolve });
    this.#count(look, -1);
    await promise;
  }

  async #write<T>(
    who: string,
    { resource, group }: Resource,
    what: string,
    act: () => Promise<T>,
    nameOf: (result: T) => string,
  ): Promise<T> {
    const look = who === SCHEDULER ? this.#schedulerLook : currentLook();
    if (look === undefined) return await this.#writeNow(who, { resource, group }, what, act, nameOf);
    this.#count(look, 1);
    try {
      this.#check(who);
      if (this.#isSlow) await this.#stall(look);
      return await this.#writeNow(who, { resource, group }, what, act, nameOf);
    } finally {
      this.#count(look, -1);
    }
  }

  async #writeNow<T>(
    who: string,
    { resource, group }: Pick<Resource, "group" | "resource">,
    what: string,
    act: () => Promise<T>,
    nameOf: (result: T) => string,
  ): Promise<T> {
    const { told, retold } = this.#options;
    this.#check(who);
    const at = told(`${who}: ${what}`);
    const fails = this.#failures > 0;
    if (fails && this.#failures-- % 2 === 1) {
      retold(at, `${who}: ${what} fails`);
      throw new Unavailable("the store does not answer");
    }
    if (who !== SCHEDULER) this.#options.writes(group === "" ? resource : `${resource}.${group}`);
    const result = await this.#inTurn(act);
    retold(at, `${who}: ${what}${nameOf(result)}`);
    if (this.#endsAtWrite) {
      this.#hasEnded = true;
      throw new Unavailable(ENDED);
    }
    this.#countDown(who);
    if (fails) {
      retold(at, `${who}: ${what}${nameOf(result)}, and nobody hears of it`);
      throw new Unavailable("the answer was lost");
    }
    return result;
  }

  /** Writes that are made at once are served one after another: otherwise who is first would be the machine's business. */
  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(act);
    this.#turn = result.catch(() => {});
    return result;
  }

  #check(who: string): void {
    if (this.#hasEnded || this.#ended.has(who)) throw new Unavailable(ENDED);
  }

  #countDown(who: string): void {
    const left = this.#left.get(who);
    if (left === undefined) return;
    this.#left.set(who, left - 1);
    if (left > 1) return;
    this.#left.delete(who);
    this.#ended.add(who);
    throw new Unavailable(ENDED);
  }

  #writer(who: string, client: Writer): Writer {
    const none = (): string => "";
    return {
      create: <T extends KubeObject>(
        collection: Parameters<ControllerClient["create"]>[0],
        object: T,
        options?: Parameters<ControllerClient["create"]>[2],
      ) => {
        const { subresource } = options ?? {};
        const name = object.metadata.name ?? "";
        const [what, nameOf] =
          subresource === undefined
            ? [`create ${collection.resource} `, ({ metadata }: T) => metadata.name ?? ""]
            : [`create ${subresource} of ${collection.resource} ${name}`, none];
        return this.#write<T>(who, collection, what, () => client.create(collection, object, options), nameOf);
      },
      update: (ref, object, options) =>
        this.#write(
          who,
          ref,
          `${options?.subresource ?? "update"} ${ref.resource} ${ref.name}`,
          () => client.update(ref, object, options),
          none,
        ),
      patch: (ref, type, patch, options) =>
        this.#write(
          who,
          ref,
          `${options?.subresource ?? "patch"} ${ref.resource} ${ref.name}`,
          () => client.patch(ref, type, patch, options),
          none,
        ),
      delete: (ref, options) =>
        this.#write(who, ref, `delete ${ref.resource} ${ref.name}`, () => client.delete(ref, options), none),
    };
  }

  /** A controller's client, seen through the gate. */
  client(who: string, client: ControllerClient): ControllerClient {
    const asked = async <T>(act: () => Promise<T>): Promise<T> => {
      this.#check(who);
      return await act();
    };
    const { raw } = this.#options;
    return {
      get: (ref, options) => asked(() => client.get(ref, options)),
      getRaw: (path, options) => asked(async () => raw(path) ?? (await client.getRaw(path, options))),
      list: (collection, options) => asked(() => client.list(collection, options)),
      ...this.#writer(who, client),
    };
  }

  /** The scheduler's. It tells nobody of events, as the controllers here tell nobody. */
  schedulerClient(client: ApiClient): ApiClient {
    const gated = this.#writer(SCHEDULER, client);
    return clientWith(client, {
      ...gated,
      create: async (collection, object, options) =>
        collection.resource === "events" ? object : await gated.create(collection, object, options),
      patch: async (ref, type, patch, options) =>
        ref.resource === "events"
          ? Promise.reject(new NotFound("events are not kept"))
          : await gated.patch(ref, type, patch, options),
    });
  }
}

const SCHEDULER = "scheduler";
