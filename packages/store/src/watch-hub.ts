import { type Clock, type Timer, Unavailable } from "@boxship/base";
import { Compacted } from "./compacted.ts";
import type { KeyRange, Watch, WatchBatch, WatchEvent, WatchOptions } from "./contract.ts";
import { inRange } from "./key-range.ts";

/** Changes that a watch may hold for a consumer that is behind; beyond it, they are read from the store again. */
const HELD = 1000;

/** What the hub asks its store for. */
export interface HubSource {
  readonly clock: Clock;
  /** What happened in a range from a revision on, in whole revisions, and up to where that is all. */
  history(
    range: KeyRange,
    from: number,
    previous: boolean,
  ): Promise<{ readonly batches: readonly WatchBatch[]; readonly upTo: number }>;
}

/**
 * Tells watches what was committed. A watch is **live** when the next commit is the next thing that it has to be told,
 * and **behind** when it has to read history first: at its start, or after its consumer was slow.
 */
export class WatchHub implements Disposable {
  readonly #source: HubSource;
  readonly #watches = new Set<HubWatch>();
  #revision: number;
  #compactRevision: number;

  constructor(source: HubSource, revision: number, compactRevision: number) {
    this.#source = source;
    this.#revision = revision;
    this.#compactRevision = compactRevision;
  }

  get revision(): number {
    return this.#revision;
  }

  get compactRevision(): number {
    return this.#compactRevision;
  }

  watch(range: KeyRange, options: WatchOptions): Watch {
    const watch = new HubWatch(this, this.#source, range, options);
    // One that cannot begin has ended already.
    if (!watch.done) this.#watches.add(watch);
    return watch;
  }

  forget(watch: Watch): void {
    this.#watches.delete(watch as HubWatch);
  }

  /** What a commit changed, with what it replaced; its revision is the one after the newest. */
  tell(revision: number, events: readonly WatchEvent[]): void {
    this.#revision = revision;
    for (const watch of this.#watches) watch.tell(revision, events);
  }

  compacted(revision: number): void {
    this.#compactRevision = Math.max(this.#compactRevision, revision);
  }

  [Symbol.dispose](): void {
    for (const watch of this.#watches) watch.fail(new Unavailable("the store is closed"));
  }
}

export const keyOf = (event: WatchEvent): string => (event.kind === "put" ? event.item.key : event.key);

export function withoutPrevious(event: WatchEvent): WatchEvent {
  if (event.previous === undefined) return event;
  const { previous: _, ...rest } = event;
  return rest;
}

/** One watch. Batches wait in `held` while live; `next` is the first revision that is not told and not held. */
class HubWatch implements Watch {
  readonly ready: Promise<void>;
  readonly #previous: boolean;
  readonly #hub: WatchHub;
  readonly #source: HubSource;
  readonly #range: KeyRange;
  readonly #progress: number;
  readonly #settleReady: { readonly resolve: () => void; readonly reject: (error: unknown) => void };
  #next: number;
  #live = false;
  #held: WatchBatch[] = [];
  #heldEvents = 0;
  #failure: unknown;
  #done = false;
  #wake: (() => void) | undefined;
  #quiet: Timer | undefined;

  constructor(hub: WatchHub, source: HubSource, range: KeyRange, options: WatchOptions) {
    this.#hub = hub;
    this.#source = source;
    this.#range = range;
    this.#next = options.from ?? hub.revision + 1;
    this.#progress = options.progress ?? 0;
    this.#previous = options.previous ?? false;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.ready = promise;
    this.#settleReady = { resolve, reject };
    // Whoever only loops hears of a failure there.
    promise.catch(() => {});
    if (this.#next < hub.compactRevision) this.fail(new Compacted(this.#next, hub.compactRevision));
    else {
      resolve();
      // Of a later revision it is told only when that comes.
      this.#live = this.#next > hub.revision;
    }
    this.#restartQuiet();
  }

  get done(): boolean {
    return this.#done;
  }

  tell(revision: number, events: readonly WatchEvent[]): void {
    if (!this.#live || revision < this.#next) return;
    this.#next = revision + 1;
    const own = events
      .filter((event) => inRange(keyOf(event), this.#range))
      .map((event) => (this.#previous ? event : withoutPrevious(event)));
    if (own.length === 0) return;
    if (this.#heldEvents + own.length > HELD && this.#held.length > 0) {
      // Forgets what is held: it stands in the store, too.
      this.#live = false;
      this.#next = this.#held[0]?.revision ?? revision;
      this.#held = [];
      this.#heldEvents = 0;
      return;
    }
    this.#hold({ revision, events: own });
  }

  #hold(batch: WatchBatch): void {
    this.#held.push(batch);
    this.#heldEvents += batch.events.length;
    this.#restartQuiet();
    this.#wake?.();
  }

  #restartQuiet(): void {
    this.#quiet?.[Symbol.dispose]();
    if (this.#progress === 0 || this.#done) return;
    this.#quiet = this.#source.clock.setTimeout(this.#progress, () => {
      if (this.#live && this.#held.length === 0) this.#hold({ revision: this.#next - 1, events: [] });
      else this.#restartQuiet();
    });
  }

  /** Ends the loop with an error once what is held has been taken. */
  fail(error: unknown): void {
    this.#failure ??= error;
    this.#settleReady.reject(error);
    this.#end();
  }

  #end(): void {
    this.#done = true;
    this.#live = false;
    this.#quiet?.[Symbol.dispose]();
    this.#hub.forget(this);
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<WatchBatch, void> {
    try {
      for (;;) {
        const batch = this.#held.shift();
        if (batch !== undefined) {
          this.#heldEvents -= batch.events.length;
          yield batch;
        } else if (this.#failure !== undefined) throw this.#failure;
        else if (this.#done) return;
        else if (this.#live) await this.#woken();
        else yield* this.#catchUp();
      }
    } finally {
      this.#end();
    }
  }

  #woken(): Promise<void> {
    return new Promise((resolve) => (this.#wake = resolve));
  }

  /** Reads one page of history. Nothing is missed where it ends: commits are told in the same turn that looks. */
  async *#catchUp(): AsyncGenerator<WatchBatch, void> {
    const { compactRevision } = this.#hub;
    if (this.#next < compactRevision) throw new Compacted(this.#next, compactRevision);
    const page = await this.#source.history(this.#range, this.#next, this.#previous);
    // What a compaction gave up meanwhile may be missing from it.
    if (this.#next < this.#hub.compactRevision) throw new Compacted(this.#next, this.#hub.compactRevision);
    this.#next = Math.max(this.#next, page.upTo + 1);
    this.#live = !this.#done && this.#next > this.#hub.revision;
    yield* page.batches;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end();
  }
}
