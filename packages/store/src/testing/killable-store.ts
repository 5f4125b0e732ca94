import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { type PostedError, postedError, Unavailable } from "@boxship/base";
import type { Store, WatchBatch } from "../contract.ts";
import type { Told } from "./store-process.ts";

/** What a history is made of. */
export interface HistoryStore extends Pick<Store, "range" | "transact"> {
  watchFrom(from: number): AsyncIterable<WatchBatch>;
}

/** A store in SQLite in a process of its own. */
export interface KillableStore extends HistoryStore, AsyncDisposable {
  /** At once, in the midst of whatever it does; the next call meets a new process. */
  kill(): Promise<void>;
  start(): Promise<void>;
}

interface Waiting {
  readonly resolve: (value: never) => void;
  readonly reject: (error: unknown) => void;
  readonly batch?: (batch: WatchBatch) => void;
}

export function killableStore(path: string): KillableStore {
  const waiting = new Map<number, Waiting>();
  let next = 1;
  let child: ChildProcess | undefined;
  const gone = () => new Unavailable("the store's process was killed");

  const ask = <T>(what: object, batch?: (batch: WatchBatch) => void): Promise<T> => {
    return new Promise<T>((resolve, reject) => {
      if (child === undefined) {
        reject(gone());
        return;
      }
      const id = next++;
      waiting.set(id, { resolve, reject, ...(batch === undefined ? {} : { batch }) });
      child.send({ id, ...what }, (error) => {
        if (error === null) return;
        waiting.delete(id);
        reject(gone());
      });
    });
  };
  const receive = (told: Told): void => {
    const one = waiting.get(told.id);
    if ("batch" in told) {
      one?.batch?.(told.batch);
      return;
    }
    waiting.delete(told.id);
    if ("error" in told)
      one?.reject(typeof told.error === "string" ? new Error(told.error) : postedError(told.error as PostedError));
    else one?.resolve(told.result as never);
  };

  return {
    range: (range, options = {}) => ask({ kind: "range", range, options }),
    transact: (transaction) => ask({ kind: "transact", transaction }),
    async *watchFrom(from) {
      const held: WatchBatch[] = [];
      let wake = Promise.withResolvers<void>();
      let ended = false;
      const range = { start: "", end: "" };
      const end = ask({ kind: "watch", range, from }, (batch) => {
        held.push(batch);
        wake.resolve();
      }).finally(() => {
        ended = true;
        wake.resolve();
      });
      end.catch(() => {});
      for (;;) {
        yield* held.splice(0);
        if (ended) break;
        await wake.promise;
        wake = Promise.withResolvers();
      }
      yield* held;
      await end;
    },
    async start() {
      const started = fork(new URL("store-process.ts", import.meta.url), [path], {
        serialization: "advanced",
        stdio: ["ignore", "ignore", "inherit", "ipc"],
        execArgv: ["--disable-warning=ExperimentalWarning"],
      });
      await once(started, "message");
      started.on("message", receive);
      child = started;
    },
    async kill() {
      const victim = child;
      if (victim === undefined) return;
      victim.kill("SIGKILL");
      await once(victim, "exit");
      child = undefined;
      // What had been sent before it died has been received by now.
      for (const { reject } of waiting.values()) reject(gone());
      waiting.clear();
    },
    async [Symbol.asyncDispose]() {
      await this.kill();
    },
  };
}
