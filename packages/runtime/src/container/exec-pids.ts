import { InotifyMask, type InotifyWatch, watchDirectory } from "@boxship/kernel";
import type { Layout } from "./layout.ts";
import { readPid } from "./record.ts";

/** Waits for the pid files that runtimes write when an exec's process has started: one inotify watch for all. */
export class ExecPids implements Disposable {
  readonly #layout: Layout;
  readonly #expected = new Map<string, (pid: number) => void>();
  readonly #watch: InotifyWatch;

  constructor(layout: Layout) {
    this.#layout = layout;
    // runc renames a finished file into place, crun writes it where it is.
    this.#watch = watchDirectory(layout.execs, InotifyMask.MovedTo | InotifyMask.CloseWrite, (event) => {
      if (event.kind === "event" && event.name.endsWith(".pid")) this.#check(event.name.slice(0, -".pid".length));
      else if (event.kind === "overflow") for (const execId of this.#expected.keys()) this.#check(execId);
    });
  }

  expects(execId: string): boolean {
    return this.#expected.has(execId);
  }

  /** The process's id on the host, once the runtime has started it. */
  expect(execId: string): Promise<number> {
    const { promise, resolve } = Promise.withResolvers<number>();
    this.#expected.set(execId, resolve);
    return promise;
  }

  /** The exec is over. */
  forget(execId: string): void {
    this.#expected.delete(execId);
  }

  #check(execId: string): void {
    const tell = this.#expected.get(execId);
    if (tell === undefined) return;
    const pid = readPid(this.#layout.execFile(execId, "pid"));
    if (pid !== undefined) tell(pid);
  }

  [Symbol.dispose](): void {
    this.#watch[Symbol.dispose]();
  }
}
