import type { Kind, Status } from "@boxship/api";
import { apiVersionOf } from "@boxship/api";
import type { Outgoing } from "../http/send-reply.ts";
import type { CachedObject } from "../storage/cached-object.ts";
import type { Change } from "../storage/change.ts";
import type { ChangeListener } from "../storage/resource-cache.ts";
import type { EventType, View } from "./render.ts";

export interface WatchStreamOptions {
  readonly response: Outgoing;
  readonly kind: Kind;
  readonly view: View;
  /** Of the keys that it is about. */
  readonly prefix: string;
  readonly matches?: (object: CachedObject) => boolean;
}

/** A client that has not taken so many bytes is too slow: it is let go of, and lists again. */
const MOST_WAITING = 16 * 2 ** 20;

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
  /** Objects that are there when the watch begins. */
  initial(objects: readonly CachedObject[]): void;
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

  /** Objects that are there when the watch begins. */
  initial(objects: readonly CachedObject[]): void {
    const { matches, view } = this.#options;
    for (const object of objects)
      if (matches === undefined || matches(object)) this.#write(view.event("ADDED", object));
  }

  changed(change: Change): void {
    if (this.#isOver || change.revision <= this.#skipped || !change.key.startsWith(this.prefix)) return;
    const type = this.#typeOf(change);
    if (type !== undefined) this.#write(this.#bytesOf(change, type));
  }

  /** To a watch with selectors, objects come and go as they begin and cease to match. */
  #typeOf({ object, previous, deleted }: Change): ChangeType | undefined {
    const { matches } = this.#options;
    const before = previous !== undefined && (matches === undefined || matches(previous));
    if (deleted) return before ? "DELETED" : undefined;
    const now = matches === undefined || matches(object);
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
    this.#pending = [];
    this.#finish();
  }
}
