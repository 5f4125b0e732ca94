import type { Kind, Status } from "@boxship/api";
import { apiVersionOf, toStatus } from "@boxship/api";
import type { Outgoing } from "../http/send-reply.ts";
import { turnsByBytes } from "../http/take-turns.ts";
import type { CachedObject } from "../storage/cached-object.ts";
import type { Change } from "../storage/change.ts";
import type { ChangeListener } from "../storage/resource-cache.ts";
import type { Matcher } from "./list-options.ts";
import type { EventType, View } from "./render.ts";

export interface WatchStreamOptions {
  readonly response: Outgoing;
  readonly kind: Kind;
  readonly view: View;
  /** Of the keys that it is about. */
  readonly prefix: string;
  readonly matcher?: Matcher;
}

/** A client that has not taken so many bytes is too slow: it is let go of, and lists again. */
const MOST_WAITING = 16 * 2 ** 20;
/** Of what is there when a watch begins, no more is handed over before the client has taken it. */
const MOST_BEGUN = 2 ** 20;
/** What has changed before the beginning was told: of more, the client lists again. */
const MOST_HELD = 20_000;

type ChangeType = Extract<EventType, "ADDED" | "DELETED" | "MODIFIED">;

/** Events as bytes, made once for all watches that see the same. */
const serialized = new WeakMap<Change, Map<string, Buffer>>();

/** What a watch is told, in its order. */
export interface WatchFeed extends ChangeListener {
  /** Of the keys that it is about. */
  readonly prefix: string;
  readonly isOver: boolean;
  /** Resolves when it is over. */
  readonly over: Promise<void>;
  /** Objects that are there when the watch begins. What is told before all of them are, comes after them. */
  initial(objects: readonly CachedObject[]): void | Promise<void>;
  /** Changes up to this revision have been told, or are no news. */
  skipUpTo(revision: number): void;
  /** Tells how far the watch is without a change. */
  bookmark(revision: number, endsInitial: boolean): void;
}

/** One watch's answer: a JSON object a line. What is told in one turn of the event loop is sent at once. */
export class WatchStream implements WatchFeed {
  readonly prefix: string;
  /** Resolves when it is over. */
  readonly over: Promise<void>;
  readonly #options: WatchStreamOptions;
  readonly #finish: () => void;
  #pending: Uint8Array[] = [];
  #flush: NodeJS.Immediate | undefined;
  #isOver = false;
  #skipped = 0;
  /** What comes after the objects that are still being told. */
  #held: (() => void)[] | undefined;

  constructor(options: WatchStreamOptions) {
    this.#options = options;
    this.prefix = options.prefix;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.over = promise;
    this.#finish = resolve;
    options.response.on("close", () => this.#close());
    options.response.on("error", () => this.#close());
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Changes up to this revision have been told, or are no news. */
  skipUpTo(revision: number): void {
    this.#skipped = Math.max(this.#skipped, revision);
  }

  /** Objects that are there when the watch begins: of many, in turns, and as the client takes them. */
  initial(objects: readonly CachedObject[]): void | Promise<void> {
    const left = objects.values();
    const turn = turnsByBytes();
    const turned = this.#begin(left, turn);
    return turned === undefined ? undefined : this.#beginInTurns(left, turn, turned);
  }

  /** @returns what is to be waited for before it goes on; undefined where nothing is left */
  #begin(left: Iterable<CachedObject>, turn: ReturnType<typeof turnsByBytes>): Promise<void> | undefined {
    const { matcher, view } = this.#options;
    for (const object of left) {
      if (matcher === undefined || matcher.matches(object)) this.#write(view.event("ADDED", object));
      const turned = turn(matcher === undefined ? object.bytes.length : matcher.cost(object));
      if (turned !== undefined) return turned;
    }
    return undefined;
  }

  async #beginInTurns(
    left: Iterable<CachedObject>,
    turn: ReturnType<typeof turnsByBytes>,
    first: Promise<void>,
  ): Promise<void> {
    this.#held = [];
    try {
      await this.#beginOn(left, turn, first);
    } catch (error) {
      this.fail(toStatus(error));
    }
  }

  async #beginOn(
    left: Iterable<CachedObject>,
    turn: ReturnType<typeof turnsByBytes>,
    first: Promise<void>,
  ): Promise<void> {
    for (let turned: Promise<void> | undefined = first; turned !== undefined; turned = this.#begin(left, turn)) {
      await turned;
      await this.#taken();
      if (this.#isOver) return;
    }
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const tell of held) tell();
  }

  /** Waits until the client has taken most of what it was told. */
  async #taken(): Promise<void> {
    const { response } = this.#options;
    while (!this.#isOver && response.writableLength > MOST_BEGUN)
      await Promise.race([this.over, new Promise((resolve) => response.once("drain", resolve))]);
  }

  #hold(tell: () => void): void {
    this.#held?.push(tell);
    if ((this.#held?.length ?? 0) > MOST_HELD) this.end();
  }

  changed(change: Change): void {
    if (this.#held !== undefined) {
      if (!this.#isOver && change.key.startsWith(this.prefix)) this.#hold(() => this.changed(change));
      return;
    }
    if (this.#isOver || change.revision <= this.#skipped || !change.key.startsWith(this.prefix)) return;
    const type = this.#typeOf(change);
    if (type !== undefined) this.#write(this.#bytesOf(change, type));
  }

  /** To a watch with selectors, objects come and go as they begin and cease to match. */
  #typeOf({ object, previous, deleted }: Change): ChangeType | undefined {
    const { matcher } = this.#options;
    const before = previous !== undefined && matcher?.matches(previous) !== false;
    if (deleted) return before ? "DELETED" : undefined;
    const now = matcher?.matches(object) !== false;
    if (now) return before ? "MODIFIED" : "ADDED";
    return before ? "DELETED" : undefined;
  }

  #bytesOf(change: Change, type: ChangeType): Buffer {
    const { view } = this.#options;
    let forms = serialized.get(change);
    if (forms === undefined) serialized.set(change, (forms = new Map()));
    const id = `${type} ${view.id}`;
    let bytes = forms.get(id);
    if (bytes === undefined) forms.set(id, (bytes = view.event(type, change.object)));
    return bytes;
  }

  /** Tells how far the watch is without a change. */
  bookmark(revision: number, endsInitial: boolean): void {
    if (this.#held !== undefined) {
      this.#hold(() => this.bookmark(revision, endsInitial));
      return;
    }
    const { kind } = this.#options;
    const annotations = endsInitial ? { annotations: { "k8s.io/initial-events-end": "true" } } : {};
    const object = {
      kind: kind.kind,
      apiVersion: apiVersionOf(kind),
      metadata: { resourceVersion: String(revision), ...annotations },
    };
    this.#write(this.#options.view.note("BOOKMARK", object));
  }

  fail(status: Status): void {
    if (this.#isOver) return;
    this.#write(this.#options.view.note("ERROR", status));
    this.end();
  }

  ended(): void {
    this.end();
  }

  end(): void {
    if (this.#isOver) return;
    this.#send();
    this.#options.response.end();
    this.#close();
  }

  #write(bytes: Uint8Array): void {
    if (this.#isOver) return;
    this.#pending.push(bytes);
    this.#flush ??= setImmediate(() => this.#send());
  }

  #send(): void {
    if (this.#flush !== undefined) clearImmediate(this.#flush);
    this.#flush = undefined;
    if (this.#pending.length === 0 || this.#isOver) return;
    const { response } = this.#options;
    const only = this.#pending.length === 1 ? this.#pending[0] : undefined;
    response.write(only ?? Buffer.concat(this.#pending));
    this.#pending = [];
    if (response.writableLength > MOST_WAITING) response.destroy();
  }

  #close(): void {
    this.#isOver = true;
    this.#held = undefined;
    this.#pending = [];
    this.#finish();
  }
}
