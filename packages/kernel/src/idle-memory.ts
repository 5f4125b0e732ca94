import type { Server } from "node:http";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Clock, Timer } from "@boxship/base";
import { releaseFilePages, trimAllocator } from "./release-memory.ts";

/** How long nothing may have been asked before memory is given back, in milliseconds. */
const QUIET = 5000;

/**
 * Gives memory back once after each spell of work: a server runs all day and is asked now and then, and what a pull
 * needed is no use to it afterwards. Nothing is done, and no timer runs, while nobody asks.
 */
export class IdleMemory implements Disposable {
  readonly #clock: Clock;
  readonly #release: () => void;
  #timer: Timer | undefined;

  /** @param release what is done when it has been quiet. @default {@link releaseMemory} */
  constructor(clock: Clock, release: () => void = () => void releaseMemory()) {
    this.#clock = clock;
    this.#release = release;
  }

  /** Counts every request of the server as work at its beginning and at its end, also of one that takes its connection over. */
  watch(server: Server): void {
    this.work();
    server.on("request", (_request, response) => {
      this.work();
      response.once("close", () => this.work());
    });
    server.on("upgrade", (_request, socket) => {
      this.work();
      socket.once("close", () => this.work());
    });
  }

  /** Something is being done now. */
  work(): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = this.#clock.setTimeout(QUIET, this.#release);
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
  }
}

let collect: ((options: { readonly type: "major"; readonly flavor: "last-resort" }) => void) | undefined;

/** Collects garbage, returns free memory to the kernel, and lets go of program text that can be mapped again. */
export async function releaseMemory(): Promise<void> {
  if (collect === undefined) {
    setFlagsFromString("--expose-gc");
    collect = runInNewContext("gc") as typeof collect;
  }
  // An ordinary collection keeps the pages that it empties.
  collect?.({ type: "major", flavor: "last-resort" });
  trimAllocator();
  await releaseFilePages();
}
