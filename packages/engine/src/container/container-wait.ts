import type { ContainerRecord } from "./record.ts";
import { isAlive } from "./state.ts";

export type WaitCondition = "not-running" | "next-exit" | "removed";

export interface WaitResult {
  readonly exitCode: number;
  readonly error?: string;
}

interface Waiter {
  readonly condition: WaitCondition;
  readonly resolve: (result: WaitResult) => void;
}

/** Who waits for which container. Told by exit handling and by removal. */
export class Waiters {
  readonly #byId = new Map<string, Set<Waiter>>();

  /** The answer now, or a promise of it. Aborting rejects with the signal's reason and forgets the waiter. */
  wait(record: ContainerRecord, condition: WaitCondition, signal?: AbortSignal): Promise<WaitResult> {
    if (condition === "not-running" && !isAlive(record.state) && record.state.status !== "restarting") {
      return Promise.resolve(resultOf(record));
    }
    return new Promise((resolve, reject) => {
      const waiters = this.#byId.get(record.id) ?? new Set();
      this.#byId.set(record.id, waiters);
      const forget = () => {
        waiters.delete(waiter);
        if (waiters.size === 0 && this.#byId.get(record.id) === waiters) this.#byId.delete(record.id);
      };
      const onAbort = () => {
        forget();
        reject(signal?.reason);
      };
      const waiter: Waiter = {
        condition,
        resolve: (result) => {
          forget();
          signal?.removeEventListener("abort", onAbort);
          resolve(result);
        },
      };
      waiters.add(waiter);
      if (signal?.aborted) onAbort();
      else signal?.addEventListener("abort", onAbort, { once: true });
    });
  }

  /** The container's process has ended. @param restarting a restart is due: only `next-exit` is satisfied */
  exited(record: ContainerRecord, restarting: boolean): void {
    this.#tell(record, (condition) => condition === "next-exit" || (condition === "not-running" && !restarting));
  }

  /** The container is gone; every kind of waiter is satisfied. That its last start failed was said then. */
  removed(record: ContainerRecord): void {
    const { exitCode } = resultOf(record);
    this.#tell(record, () => true, { exitCode });
  }

  #tell(record: ContainerRecord, satisfied: (condition: WaitCondition) => boolean, result = resultOf(record)): void {
    for (const waiter of [...(this.#byId.get(record.id) ?? [])]) {
      if (satisfied(waiter.condition)) waiter.resolve(result);
    }
  }
}

function resultOf(record: ContainerRecord): WaitResult {
  const { state } = record;
  const exitCode = "exitCode" in state ? (state.exitCode ?? 0) : 0;
  const error = "error" in state ? state.error : undefined;
  return error === undefined ? { exitCode } : { exitCode, error };
}
