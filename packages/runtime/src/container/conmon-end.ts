import { type Fd, watchDescriptor } from "@boxship/kernel";
import { openProcess } from "./conmon-process.ts";
import type { Context } from "./context.ts";
import { exitFromCode, type ReportedExit } from "./exit-watch.ts";
import { killProcessesOf } from "./members.ts";
import { readRecord } from "./record.ts";

const SIGKILL_EXIT = 137;

/** The exit of a container whose conmon was killed: the container is killed for it. */
export function abandonedExit({ clock }: Pick<Context, "clock">): ReportedExit {
  return exitFromCode(SIGKILL_EXIT, new Date(clock.now()));
}

/**
 * conmon writes the exit file before it ends. Without one it was killed, and its container is beyond control: its output
 * has no reader and its exit no witness. Such a container is ended.
 */
export async function conmonEnded(context: Context, id: string): Promise<void> {
  const { exits } = context;
  exits.check(id);
  if (!exits.expects(id)) return;
  await killRemains(context, id);
  exits.end(id, abandonedExit(context));
}

/** Kills what is left of a container's processes. */
export async function killRemains(context: Context, id: string): Promise<void> {
  const record = readRecord(context.layout, id);
  try {
    if (record !== undefined) await killProcessesOf(context, id, record);
  } catch (error) {
    context.logger.error("cannot end a container whose conmon was killed", { container: id, error });
  }
}

/** Watches conmons of an earlier daemon, which are not our children. */
export class ConmonWatch implements Disposable {
  readonly #watched = new Map<string, Disposable>();

  watch(id: string, pid: number, ended: () => Promise<void>): void {
    this.forget(id);
    const process = openProcess(pid);
    if (process === undefined) {
      void ended();
      return;
    }
    this.#watched.set(
      id,
      watchEnd(process, () => {
        this.forget(id);
        void ended();
      }),
    );
  }

  forget(id: string): void {
    this.#watched.get(id)?.[Symbol.dispose]();
    this.#watched.delete(id);
  }

  [Symbol.dispose](): void {
    for (const id of this.#watched.keys()) this.forget(id);
  }
}

function watchEnd(process: Fd, ended: () => void): Disposable {
  const watch = watchDescriptor(process, { readable: true }, ended);
  watch.unref();
  return {
    [Symbol.dispose]() {
      watch[Symbol.dispose]();
      process.close();
    },
  };
}
