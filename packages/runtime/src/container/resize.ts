import { type Clock, type Logger, systemCode, type Timer } from "@boxship/base";
import { CurrentDirectory, OpenFlag, openat, write } from "@boxship/kernel";
import type { TerminalSize } from "../contract.ts";
import type { Layout } from "./layout.ts";

const QUIET_MS = 20;
const RESIZE = 1;
const REOPEN = 2;

interface Pending {
  size: TerminalSize | undefined;
  readonly timer: Timer;
}

/**
 * Commands for conmon over the `ctl` FIFO of a bundle. conmon takes only the first line of what it reads at once for
 * what all lines say, so commands are kept apart in time and a burst of sizes becomes its first and its last.
 */
export class ControlFifo implements Disposable {
  readonly #layout: Layout;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #pending = new Map<string, Pending>();

  constructor(layout: Layout, clock: Clock, logger: Logger) {
    this.#layout = layout;
    this.#clock = clock;
    this.#logger = logger;
  }

  resize(id: string, size: TerminalSize): void {
    const pending = this.#pending.get(id);
    if (pending !== undefined) {
      pending.size = size;
      return;
    }
    this.#send(id, `${RESIZE} ${size.height} ${size.width}\n`);
    this.#rest(id);
  }

  /** Has conmon close its log and open the path afresh. */
  reopenLog(id: string): void {
    const after = this.#pending.get(id)?.size;
    this.#send(id, `${REOPEN} 0 0\n`);
    if (after === undefined) this.#rest(id);
  }

  #rest(id: string): void {
    this.#pending.get(id)?.timer[Symbol.dispose]();
    const timer = this.#clock.setTimeout(QUIET_MS, () => {
      const size = this.#pending.get(id)?.size;
      this.#pending.delete(id);
      if (size !== undefined) this.resize(id, size);
    });
    this.#pending.set(id, { size: undefined, timer });
  }

  /** conmon that is gone has nothing to resize. */
  #send(id: string, command: string): void {
    try {
      using fifo = openat(CurrentDirectory, this.#layout.bundleFile(id, "ctl"), OpenFlag.WriteOnly | OpenFlag.NonBlock);
      write(fifo, Buffer.from(command));
    } catch (error) {
      const code = systemCode(error);
      if (code !== "ENOENT" && code !== "ENXIO") throw error;
      this.#logger.debug("conmon does not listen", { container: id, command: command.trim() });
    }
  }

  [Symbol.dispose](): void {
    for (const { timer } of this.#pending.values()) timer[Symbol.dispose]();
    this.#pending.clear();
  }
}
