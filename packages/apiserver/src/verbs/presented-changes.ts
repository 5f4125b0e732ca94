import { type Kind, toStatus } from "@boxship/api";
import type { Versions } from "../conversion/versions.ts";
import type { CachedObject } from "../storage/cached-object.ts";
import type { Change } from "../storage/change.ts";
import type { WatchFeed, WatchStream } from "./watch-stream.ts";

/** A watch that is so far behind is let go of, and lists again. */
const MOST_WAITING = 20_000;

/** Tells a watch what happens in the version that it is in: in its order, however long a conversion takes. */
export class PresentedChanges implements WatchFeed {
  readonly #versions: Versions;
  readonly #kind: Kind;
  readonly #stream: WatchStream;
  readonly #waiting: (() => void | Promise<void>)[] = [];
  #busy = false;

  constructor(versions: Versions, kind: Kind, stream: WatchStream) {
    this.#versions = versions;
    this.#kind = kind;
    this.#stream = stream;
  }

  get prefix(): string {
    return this.#stream.prefix;
  }

  get isOver(): boolean {
    return this.#stream.isOver;
  }

  get over(): Promise<void> {
    return this.#stream.over;
  }

  initial(objects: readonly CachedObject[]): void {
    this.#tell(async () => await this.#stream.initial(await this.#versions.present(this.#kind, objects)));
  }

  changed(change: Change): void {
    if (!change.key.startsWith(this.prefix)) return;
    this.#tell(async () => this.#stream.changed(await this.#versions.presentChange(this.#kind, change)));
  }

  skipUpTo(revision: number): void {
    this.#tell(() => this.#stream.skipUpTo(revision));
  }

  bookmark(revision: number, endsInitial: boolean): void {
    this.#tell(() => this.#stream.bookmark(revision, endsInitial));
  }

  ended(): void {
    this.#tell(() => this.#stream.end());
  }

  #tell(what: () => void | Promise<void>): void {
    if (this.isOver) return;
    this.#waiting.push(what);
    if (this.#waiting.length > MOST_WAITING) this.#stream.end();
    else if (!this.#busy) void this.#work();
  }

  async #work(): Promise<void> {
    this.#busy = true;
    try {
      for (let next = this.#waiting.shift(); next !== undefined && !this.isOver; next = this.#waiting.shift())
        await next();
    } catch (error) {
      this.#stream.fail(toStatus(error));
    } finally {
      this.#busy = false;
    }
  }
}
