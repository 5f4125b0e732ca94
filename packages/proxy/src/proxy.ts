import { type Clock, type Logger, systemClock } from "@boxship/base";
import { type FollowServices, persist } from "@boxship/client";
import { frontKey, type ServiceFront, ServiceTable } from "@boxship/network";
import { frontsOf, type LocalPlaces } from "./fronts-of.ts";

export type { LocalPlaces } from "./fronts-of.ts";

export interface ProxyOptions {
  /** Stays the caller's. */
  readonly services: FollowServices;
  /** Of the engine whose pods are served: names the table. */
  readonly instance: string;
  /** The node's. */
  readonly node: string;
  /** Networks of pods, `address/length`. @default every client counts as a pod */
  readonly podNetworks?: readonly string[];
  /** See `ServiceTableSettings`. */
  readonly keepSources: boolean;
  /** What this program serves itself. @default nothing */
  readonly local?: LocalPlaces;
  readonly clock?: Clock;
  readonly logger: Logger;
}

/**
 * Leads who asks for a service to one of its endpoints, by the kernel's packet filter: once they are told, this program has
 * nothing to do with packets, and services go on without it. Disposing leaves them; {@link withdraw} takes them away.
 */
export class Proxy implements AsyncDisposable {
  /** Resolves when services that were there at the start are in the kernel. */
  readonly ready: Promise<void>;
  readonly #options: ProxyOptions;
  readonly #table: ServiceTable;
  readonly #clock: Clock;
  readonly #ending = new AbortController();
  /** Services that are not as the kernel has them. */
  readonly #dirty = new Set<string>();
  /** By service and key of the front, as JSON. */
  readonly #known = new Map<string, ReadonlyMap<string, string>>();
  /** Which service has a front, by its key: of two with one address, the first. */
  readonly #owners = new Map<string, string>();
  /** Services that would have a front that is another's. */
  readonly #waiting = new Map<string, Set<string>>();
  readonly #following: Disposable;
  #running: Promise<void> | undefined;
  #isReady = false;
  #zone: string | undefined;

  constructor(options: ProxyOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    const { instance, podNetworks, keepSources, logger } = options;
    const networks = podNetworks === undefined ? {} : { podNetworks };
    this.#table = new ServiceTable({ name: instance, ...networks, keepSources, clock: this.#clock, logger });
    this.#following = options.services.onChange((key) => this.#mark(key));
    this.ready = this.#start();
    this.ready.catch((error: unknown) => {
      if (!this.#ending.signal.aborted) logger.error("services cannot be served", { error });
    });
  }

  /** Prefers endpoints that are meant for a zone: the node's, or none. */
  setZone(zone: string | undefined): void {
    if (zone === this.#zone) return;
    this.#zone = zone;
    for (const key of this.#known.keys()) this.#mark(key);
  }

  /** Takes services out of the kernel. Nothing is done after it. */
  async withdraw(): Promise<void> {
    await this.#end();
    await this.#table.remove();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end();
    await this.#table[Symbol.asyncDispose]();
  }

  async #end(): Promise<void> {
    this.#ending.abort();
    this.#following[Symbol.dispose]();
    await this.ready.catch(() => {});
    await this.#running;
  }

  async #start(): Promise<void> {
    await Promise.race([this.#options.services.synced, aborted(this.#ending.signal)]);
    this.#ending.signal.throwIfAborted();
    const { add } = this.#changes();
    await this.#persist(() => this.#table.reset(add));
    this.#isReady = true;
    this.#wake();
  }

  #mark(key: string): void {
    this.#dirty.add(key);
    if (this.#isReady) this.#wake();
  }

  #wake(): void {
    if (this.#dirty.size === 0 || this.#ending.signal.aborted) return;
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
      this.#wake();
    });
  }

  async #run(): Promise<void> {
    // What arrives together goes together.
    await Promise.resolve();
    const change = this.#changes();
    if (change.add.length + change.remove.length === 0) return;
    await this.#persist(() => this.#table.apply(change)).catch(() => {});
  }

  /** Tries until it succeeds or this ends. */
  async #persist(task: () => Promise<void>): Promise<void> {
    await persist(task, {
      clock: this.#clock,
      signal: this.#ending.signal,
      failed: (error) =>
        this.#options.logger.warn("services cannot be put into the kernel and will be tried again", { error }),
    });
  }

  /** What of the services that changed differs from what is known to be there. */
  #changes(): { readonly add: ServiceFront[]; readonly remove: string[] } {
    const add: ServiceFront[] = [];
    const remove: string[] = [];
    // Releasing a front may make another service dirty.
    for (const key of this.#dirty) {
      this.#dirty.delete(key);
      const now = this.#frontsOf(key);
      const before = this.#known.get(key) ?? new Map<string, string>();
      for (const front of before.keys()) if (!now.has(front)) remove.push(...this.#release(front));
      const kept = new Map<string, string>();
      for (const [id, front] of now) {
        if (!this.#claim(id, key)) continue;
        const text = JSON.stringify(front);
        kept.set(id, text);
        if (before.get(id) !== text) add.push(front);
      }
      if (kept.size === 0) this.#known.delete(key);
      else this.#known.set(key, kept);
    }
    const added = new Set(add.map(frontKey));
    return { add, remove: remove.filter((id) => !added.has(id)) };
  }

  #frontsOf(key: string): ReadonlyMap<string, ServiceFront> {
    const { services, node, local } = this.#options;
    const service = services.get(key);
    if (service === undefined) return new Map();
    const zone = this.#zone === undefined ? {} : { zone: this.#zone };
    const facts = { node, ...zone, ...(local === undefined ? {} : { local }) };
    const fronts = frontsOf(service, services.slicesOf(key), facts);
    return new Map(fronts.map((front) => [frontKey(front), front]));
  }

  #claim(id: string, key: string): boolean {
    const owner = this.#owners.get(id) ?? key;
    if (owner === key) {
      this.#owners.set(id, key);
      return true;
    }
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) this.#waiting.set(id, new Set([key]));
    else waiting.add(key);
    return false;
  }

  #release(id: string): readonly string[] {
    this.#owners.delete(id);
    for (const key of this.#waiting.get(id) ?? []) this.#dirty.add(key);
    this.#waiting.delete(id);
    return [id];
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
