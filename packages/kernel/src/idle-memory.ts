import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Clock, Timer } from "@boxship/base";
import { releaseFilePages, trimAllocator } from "./release-memory.ts";

/** How long nothing may have been asked before memory is given back, in milliseconds. */
const QUIET = 5000;

/** How much processor time of such a spell, in milliseconds, says that what is in flight is still being worked on. */
const BUSY = 100;

/**
 * How much processor time must have been spent since memory was given back, in milliseconds, for it to be worth doing
 * again: the collection takes a third of that, and a node's lease alone would cause one every ten seconds.
 */
const WORTH = 200;

/** What is done, and how work is told from waiting. */
export interface IdleMemoryOptions {
  /** What is done when it has been quiet. @default {@link releaseMemory} */
  readonly release?: () => void;
  /** Processor time of all threads of this process until now, in milliseconds. @default that of the process */
  readonly spent?: () => number;
}

/**
 * Gives memory back once after each spell of work that was worth mentioning: a server runs all day and is asked now and then, and what a pull
 * needed is no use to it afterwards. A collection stops the event loop, so it waits for the end of requests that are
 * being worked on, such as a build; one that only waits, such as an attached terminal, does not hold it up. Nothing is
 * done, and no timer runs, while nobody asks.
 */
export class IdleMemory implements Disposable {
  readonly #clock: Clock;
  readonly #release: () => void;
  readonly #spent: () => number;
  #timer: Timer | undefined;
  /** Monotonic milliseconds of the last beginning or end of a request. */
  #workedAt = 0;
  #inFlight = 0;
  /** Processor time when memory was given back last. */
  #releasedAt = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, { release = () => void releaseMemory(), spent = ownTime }: IdleMemoryOptions = {}) {
    this.#clock = clock;
    this.#release = release;
    this.#spent = spent;
  }

  /**
   * Counts every request of the server as work at its beginning and at its end, also of one that takes its connection over.
   *
   * @param server listens to `upgrade` already if it ever does: Node leaves such requests to whoever listens, and answers
   *   them as any other where nobody does
   */
  watch(server: Pick<NodeJS.EventEmitter, "on" | "listenerCount">): void {
    this.work();
    server.on("request", (_request: unknown, response: NodeJS.EventEmitter) => this.#follow(response));
    if (server.listenerCount("upgrade") === 0) return;
    server.on("upgrade", (_request: unknown, socket: NodeJS.EventEmitter) => this.#follow(socket));
  }

  #follow(answer: NodeJS.EventEmitter): void {
    this.#inFlight++;
    this.work();
    // It comes once.
    answer.on("close", this.#ended);
  }

  readonly #ended = (): void => {
    this.#inFlight--;
    this.work();
  };

  /** Something is being done now. */
  work(): void {
    this.#workedAt = this.#clock.monotonic();
    // Asking for the processor time and setting a timer anew with each request would cost more than some requests do.
    if (this.#timer === undefined) this.#wait(QUIET);
  }

  /**
   * Something was done that uses what nothing else does, such as the making of keys: it is worth giving memory back,
   * however little time it took.
   */
  rareWork(): void {
    this.#releasedAt = Number.NEGATIVE_INFINITY;
    this.work();
  }

  #wait(milliseconds: number): void {
    const before = this.#spent();
    this.#timer = this.#clock.setTimeout(milliseconds, () => {
      this.#timer = undefined;
      const left = this.#workedAt + QUIET - this.#clock.monotonic();
      if (left > 0) this.#wait(left);
      else if (this.#inFlight > 0 && this.#spent() - before >= BUSY) this.#wait(QUIET);
      else this.#giveBack();
    });
  }

  #giveBack(): void {
    if (this.#spent() - this.#releasedAt < WORTH) return;
    this.#release();
    this.#releasedAt = this.#spent();
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
  }
}

function ownTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

let collect: ((options: { readonly type: "major"; readonly flavor: "last-resort" }) => void) | undefined;

/** Collects garbage, returns free memory to the kernel, and lets go of program text that can be mapped again. */
export async function releaseMemory(): Promise<void> {
  if (collect === undefined) {
    setFlagsFromString("--expose-gc");
    collect = runInNewContext("gc") as typeof collect;
    // V8 refuses code caches where any flag is another than when they were made, and makes none that others take.
    setFlagsFromString("--no-expose-gc");
  }
  // An ordinary collection keeps the pages that it empties.
  collect?.({ type: "major", flavor: "last-resort" });
  trimAllocator();
  await releaseFilePages();
}
