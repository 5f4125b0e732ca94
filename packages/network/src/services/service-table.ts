import type { Clock, Logger } from "@boxship/base";
import type { NftCommand } from "@boxship/kernel";
import { closedErrors } from "../errors.ts";
import { NetworkThread } from "../worker/network-thread.ts";
import { frontKey, type ServiceFront, type ServicePlace, type ServiceTableSettings } from "./service-fronts.ts";
import {
  addClass,
  addElement,
  className,
  deleteElement,
  type FrontElement,
  frontElements,
  type LostPlaces,
  removeServices,
} from "./service-ruleset.ts";

export interface ServiceTableOptions extends ServiceTableSettings {
  readonly clock: Clock;
  readonly logger: Logger;
}

/** What changes; a front that is added takes the place of the one of its key. */
export interface ServiceChange {
  readonly add: readonly ServiceFront[];
  /** Keys of fronts, see {@link frontKey}. */
  readonly remove: readonly string[];
}

interface Plan {
  readonly commands: NftCommand[];
  /** Whose UDP clients have to be led anew. */
  readonly stale: readonly ServiceFront[];
  /** Whose clients would come back to what is gone. */
  readonly lost: readonly LostPlaces[];
}

/** How long the thread stays for a next change: what a rolling update has between two. */
const IDLE_MS = 60_000;

/**
 * A cluster's services in the kernel. Calls run one after another; each is one transaction, in effect when it resolves.
 * What is in the kernel outlives this object and this program until {@link remove}.
 */
export class ServiceTable implements AsyncDisposable {
  readonly #options: ServiceTableOptions;
  readonly #thread: NetworkThread;
  readonly #fronts = new Map<string, ServiceFront>();
  readonly #classes = new Set<string>();
  /** How many fronts each shared element stands for, by set and key. */
  readonly #shared = new Map<string, number>();
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: ServiceTableOptions) {
    this.#options = options;
    this.#thread = new NetworkThread({ clock: options.clock, idle: IDLE_MS });
  }

  /** Makes the table that of these fronts, whatever it was, in one step. */
  reset(fronts: readonly ServiceFront[]): Promise<void> {
    return this.#inTurn(async () => {
      this.#fronts.clear();
      for (const front of fronts) this.#fronts.set(frontKey(front), front);
      await this.#rewrite();
      await this.#forget(fronts);
    });
  }

  apply(change: ServiceChange): Promise<void> {
    return this.#inTurn(async () => {
      const { commands, stale, lost } = this.#plan(change);
      if (commands.length === 0) return;
      try {
        await this.#thread.call("runNft", commands);
      } catch (error) {
        // Somebody has changed the table, or taken it away.
        this.#options.logger.warn("nftables refused a change of services; trying the whole table", { error });
        await this.#rewrite();
      }
      await this.#forget(stale);
      if (lost.length > 0) await this.#thread.call("forgetServiceClients", { name: this.#options.name, lost });
    });
  }

  /** Takes the table away. */
  remove(): Promise<void> {
    return this.#inTurn(() => this.#thread.call("runNft", removeServices(this.#options.name)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#last.catch(() => {});
    await this.#thread[Symbol.asyncDispose]();
  }

  #inTurn(task: () => Promise<void>): Promise<void> {
    const next = closedErrors(this.#last.then(task, task));
    this.#last = next;
    return next;
  }

  async #rewrite(): Promise<void> {
    const { name, podNetworks, keepSources } = this.#options;
    const settings = { name, keepSources, ...(podNetworks === undefined ? {} : { podNetworks }) };
    const fronts = [...this.#fronts.values()];
    await this.#thread.call("replaceServiceTable", { settings, fronts });
    this.#classes.clear();
    this.#shared.clear();
    for (const front of fronts) {
      if (front.action === "balance") this.#classes.add(className(front));
      for (const element of frontElements(front)) if (element.shared) this.#count(element, 1);
    }
  }

  #plan({ add, remove }: ServiceChange): Plan {
    const { name } = this.#options;
    const classes: NftCommand[] = [];
    const before = new Map<string, FrontElement>();
    const after = new Map<string, FrontElement>();
    const stale: ServiceFront[] = [];
    const lost: LostPlaces[] = [];
    const next = new Map(add.map((front) => [frontKey(front), front]));
    const known = new Set<string>();
    for (const key of new Set([...remove, ...next.keys()])) {
      const old = this.#fronts.get(key);
      if (old === undefined) continue;
      for (const element of frontElements(old)) this.#take(element, before);
      const places = lostPlaces(old, next.get(key));
      if (places.length > 0) stale.push(old);
      if (places.length > 0 && old.stickySeconds > 0) lost.push({ front: old, places });
      this.#fronts.delete(key);
      known.add(key);
    }
    for (const front of add) {
      if (!known.has(frontKey(front))) stale.push(front);
      this.#fronts.set(frontKey(front), front);
      if (front.action === "balance" && !this.#classes.has(className(front))) {
        this.#classes.add(className(front));
        classes.push(...addClass(name, front));
      }
      for (const element of frontElements(front)) this.#give(element, before, after);
    }
    const gone = [...before.values()].map((element) => deleteElement(name, element));
    const come = [...after.values()].map((element) => addElement(name, element));
    return { commands: [...gone, ...classes, ...come], stale, lost };
  }

  #take(element: FrontElement, before: Map<string, FrontElement>): void {
    if (!element.shared || this.#count(element, -1) === 0) before.set(elementKey(element), element);
  }

  /** An element that would go and comes again unchanged does neither. */
  #give(element: FrontElement, before: Map<string, FrontElement>, after: Map<string, FrontElement>): void {
    if (element.shared && this.#count(element, 1) > 1) return;
    const key = elementKey(element);
    const old = before.get(key);
    if (old !== undefined && isSameData(old, element)) before.delete(key);
    else after.set(key, element);
  }

  #count(element: FrontElement, by: 1 | -1): number {
    const key = elementKey(element);
    const count = (this.#shared.get(key) ?? 0) + by;
    if (count === 0) this.#shared.delete(key);
    else this.#shared.set(key, count);
    return count;
  }

  /** UDP has no connections: a client that goes on sending would be led to where the service was before. */
  async #forget(fronts: readonly ServiceFront[]): Promise<void> {
    const ports = fronts.flatMap(({ protocol, address = "", port }) => {
      return protocol === "udp" ? [{ protocol, hostIP: address, hostPort: port }] : [];
    });
    if (ports.length > 0) await this.#thread.call("forgetFlows", { addresses: [], ports });
  }
}

function lostPlaces(old: ServiceFront, now: ServiceFront | undefined): readonly ServicePlace[] {
  const kept = new Set(now?.places.map(({ address, port }) => `${address} ${port}`));
  return old.places.filter(({ address, port }) => !kept.has(`${address} ${port}`));
}

function elementKey({ set, element }: FrontElement): string {
  return `${set.name} ${Buffer.from(element.key).toString("latin1")}`;
}

function isSameData({ element: one }: FrontElement, { element: other }: FrontElement): boolean {
  if (Buffer.compare(one.end ?? EMPTY, other.end ?? EMPTY) !== 0) return false;
  return one.goto === other.goto && Buffer.compare(one.data ?? EMPTY, other.data ?? EMPTY) === 0;
}

const EMPTY = new Uint8Array();
