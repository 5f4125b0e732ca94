import { type Stats, statSync } from "node:fs";
import { type Logger, systemCode } from "@boxship/base";
import { InotifyMask, type InotifyWatch, watchDirectory } from "@boxship/kernel";
import type { ExitStatus } from "../contract.ts";
import type { Layout } from "./layout.ts";
import { readSmallFile } from "./record.ts";

/** The exit conmon reported: code and time. */
export type ReportedExit = Omit<ExitStatus, "oomKilled">;

type Listener = (id: string, status: ExitStatus) => void;

const HIGHEST_SIGNAL = 64;

/** A code as conmon writes it, which is 128 + n after signal n. */
export function exitFromCode(code: number, finishedAt: Date): ReportedExit {
  const signal = code > 128 && code <= 128 + HIGHEST_SIGNAL ? { signal: code - 128 } : {};
  return { code, ...signal, finishedAt };
}

/** What conmon left behind for a container, undefined while it runs. */
export function readExit(layout: Layout, id: string): ReportedExit | undefined {
  const path = layout.exitFile(id);
  const text = readSmallFile(path);
  if (text === undefined || !/^-?\d+$/.test(text)) return undefined;
  let stats: Stats;
  try {
    stats = statSync(path);
  } catch (error) {
    // Deleted in between: a container that is gone has no status.
    if (systemCode(error) === "ENOENT") return undefined;
    throw error;
  }
  return exitFromCode(Number(text), stats.mtime);
}

/**
 * Tells of ended containers, each once, by one inotify watch on the directory of exit files. Only containers that were
 * {@link ExitWatch.expect}ed are told of.
 */
export class ExitWatch implements Disposable {
  readonly #layout: Layout;
  readonly #logger: Logger;
  readonly #complete: (id: string, exit: ReportedExit) => ExitStatus;
  readonly #expected = new Map<string, PromiseWithResolvers<ExitStatus | undefined>>();
  readonly #ended = new Map<string, ExitStatus>();
  readonly #listeners = new Set<Listener>();
  readonly #watch: InotifyWatch;

  /** @param complete adds what the exit file does not say, while the container's cgroup still exists */
  constructor(layout: Layout, logger: Logger, complete: (id: string, exit: ReportedExit) => ExitStatus) {
    this.#layout = layout;
    this.#logger = logger;
    this.#complete = complete;
    this.#watch = watchDirectory(layout.exits, InotifyMask.MovedTo, (event) => {
      if (event.kind === "event") this.check(event.name);
      else if (event.kind === "overflow") for (const id of this.#expected.keys()) this.check(id);
      else this.#logger.error("directory of exit files is gone", { path: layout.exits });
    });
  }

  /** From now on the container's end is told. */
  expect(id: string): void {
    this.#ended.delete(id);
    if (this.#expected.has(id)) return;
    this.#expected.set(id, Promise.withResolvers());
  }

  /** Looks whether an expected container has ended. */
  check(id: string): void {
    if (!this.#expected.has(id)) return;
    const exit = readExit(this.#layout, id);
    if (exit !== undefined) this.end(id, exit);
  }

  /** The container has ended, by its exit file or by other evidence. Without effect when that is known. */
  end(id: string, exit: ReportedExit): ExitStatus | undefined {
    const expected = this.#expected.get(id);
    if (expected === undefined) return this.#ended.get(id);
    this.#expected.delete(id);
    const status = this.#complete(id, exit);
    this.#ended.set(id, status);
    expected.resolve(status);
    for (const listener of this.#listeners) {
      try {
        listener(id, status);
      } catch (error) {
        this.#logger.error("a listener of container exits failed", { container: id, error });
      }
    }
    return status;
  }

  /** How a container ended, if it did since it was expected. */
  ended(id: string): ExitStatus | undefined {
    return this.#ended.get(id);
  }

  expects(id: string): boolean {
    return this.#expected.has(id);
  }

  /** Resolves when the container has ended; undefined when nobody expects it to. */
  async wait(id: string): Promise<ExitStatus | undefined> {
    return this.#ended.get(id) ?? (await this.#expected.get(id)?.promise);
  }

  /** Nothing more is told of the container; those who wait for it get undefined. */
  forget(id: string): void {
    this.#expected.get(id)?.resolve(undefined);
    this.#expected.delete(id);
    this.#ended.delete(id);
  }

  onExit(listener: Listener): Disposable {
    // A wrapper, so that a callback registered twice is told twice and each registration ends alone.
    const own: Listener = (id, status) => listener(id, status);
    this.#listeners.add(own);
    return { [Symbol.dispose]: () => void this.#listeners.delete(own) };
  }

  [Symbol.dispose](): void {
    this.#watch[Symbol.dispose]();
    this.#listeners.clear();
  }
}
