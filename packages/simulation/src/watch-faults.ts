import { failure, type KubeObject } from "@boxship/api";
import type { ApiClient, Collection, WatchEvent, WatchOptions } from "@boxship/client";
import { clientWith } from "./client-with.ts";
import type { WatchEnd } from "./faults.ts";

const nameOf = ({ group, resource }: Collection): string => (group === "" ? resource : `${resource}.${group}`);

interface Hold {
  readonly over: Promise<void>;
  readonly end: () => void;
}

/** Between one who watches and the server: where watches tell nothing for a while, break, and are too old to go on. */
export class WatchFaults {
  readonly #held = new Map<string, Hold>();
  readonly #open = new Map<string, Set<AbortController>>();
  /** Watches whose version the server is said to have forgotten. */
  readonly #forgotten = new Set<string>();
  /** Who waits until a watch is there again. */
  readonly #waiting = new Map<string, () => void>();

  hold(resource: string): void {
    if (this.#held.has(resource)) return;
    const { promise: over, resolve: end } = Promise.withResolvers<void>();
    this.#held.set(resource, { over, end });
  }

  isHeld(resource: string): boolean {
    return this.#held.has(resource);
  }

  /** What was held back is told. */
  release(resource: string): void {
    this.#held.get(resource)?.end();
    this.#held.delete(resource);
  }

  /** Ends a hold. Resolves when the watch is there again, whatever became of it. @returns whether it was held until now */
  async end(resource: string, how: WatchEnd): Promise<boolean> {
    if (!this.isHeld(resource)) return false;
    const open = [...(this.#open.get(resource) ?? [])];
    if (how === "told" || open.length === 0) {
      this.release(resource);
      return true;
    }
    const isBack = new Promise<void>((resolve) => this.#waiting.set(resource, resolve));
    if (how === "anew") this.#forgotten.add(resource);
    for (const one of open) one.abort();
    this.release(resource);
    await isBack;
    return true;
  }

  /** Who watches by this has ended: nobody waits for its watches any more. */
  forget(): void {
    for (const resource of [...this.#held.keys()]) this.release(resource);
    this.#forgotten.clear();
    for (const resolve of this.#waiting.values()) resolve();
    this.#waiting.clear();
    this.#open.clear();
  }

  /** Of the newest revisions those that are told. */
  async told(newest: Promise<ReadonlyMap<string, number>>): Promise<ReadonlyMap<string, number>> {
    const all = await newest;
    if (this.#held.size === 0) return all;
    return new Map([...all].filter(([resource]) => !this.isHeld(resource)));
  }

  client(client: ApiClient): ApiClient {
    return clientWith(client, {
      watch: <T extends KubeObject>(collection: Collection, options?: WatchOptions) =>
        this.#watch<T>(client, collection, options),
    });
  }

  async *#watch<T extends KubeObject>(
    client: ApiClient,
    collection: Collection,
    options: WatchOptions = {},
  ): AsyncGenerator<WatchEvent<T>, void> {
    const resource = nameOf(collection);
    if (this.#forgotten.delete(resource)) throw failure("Expired", "the version is too old");
    const breaking = new AbortController();
    const { signal } = options;
    const open = this.#open.get(resource) ?? new Set();
    this.#open.set(resource, open.add(breaking));
    this.#waiting.get(resource)?.();
    this.#waiting.delete(resource);
    const either = signal === undefined ? breaking.signal : AbortSignal.any([signal, breaking.signal]);
    try {
      for await (const event of client.watch<T>(collection, { ...options, signal: either })) {
        await this.#held.get(resource)?.over;
        if (breaking.signal.aborted) return;
        yield event;
      }
    } catch (error) {
      if (!breaking.signal.aborted || signal?.aborted === true) throw error;
    } finally {
      open.delete(breaking);
    }
  }
}
