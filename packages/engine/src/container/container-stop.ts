import { sleep } from "@boxship/base";
import { SIGKILL } from "@boxship/kernel";
import { type EngineContext, eventAttributes, liveOf } from "../context.ts";
import { withoutEdit } from "./container-edit.ts";
import { markStopped, parseSignal, sendSignal, stopSignalOf } from "./container-kill.ts";
import type { ContainerRecord } from "./record.ts";
import { isAlive, transition } from "./state.ts";

const DEFAULT_TIMEOUT_S = 10;
/** How long the end may take to arrive after SIGKILL before the signal is sent again. */
const KILL_PATIENCE_MS = 5_000;
/** After so many signals it is the monitor that does not work. */
const ROUNDS_FOR_MONITOR = 2;

export interface StopOptions {
  /** Seconds until SIGKILL; -1 waits for ever. */
  readonly timeout?: number;
  readonly signal?: string;
  /** It gets other mounts and is started again at once; a restart that is due is left alone. */
  readonly forEdit?: boolean;
  /** It is removed, which is an event of its own. */
  readonly forRemoval?: boolean;
}

/** Ends a container in order. @returns false when it was not running */
export async function stopContainer(context: EngineContext, ref: string, options: StopOptions = {}): Promise<boolean> {
  const { id } = context.containers.resolve(ref);
  const begun = await context.locks.run(id, () => beginStop(context, id, options));
  if (begun === undefined) return false;
  await finishStop(context, begun, options.timeout ?? begun.record.effective.stopTimeout);
  if (options.forRemoval !== true) context.events.publish("container", "stop", id, eventAttributes(begun.record));
  return true;
}

interface BegunStop {
  readonly record: ContainerRecord;
  /** Resolves after the exit was handled. */
  readonly exited: Promise<unknown>;
}

/** First half, under the lock: cancel a restart that is due, or send the stop signal. */
async function beginStop(context: EngineContext, id: string, options: StopOptions): Promise<BegunStop | undefined> {
  const { forEdit = false } = options;
  const found = context.containers.resolve(id);
  const record = forEdit ? found : withoutEdit(found);
  const signal =
    options.signal === undefined || options.signal === "" ? stopSignalOf(record) : parseSignal(options.signal);
  if (record.state.status === "restarting" && !forEdit) {
    const live = liveOf(context, id);
    live.restart?.timer[Symbol.dispose]();
    delete live.restart;
    const state = transition(record.name, record.state, { ...record.state, status: "exited" });
    const stopped: ContainerRecord = { ...record, stoppedByUser: true, state };
    await context.containers.note(stopped);
    context.waiters.exited(stopped, false);
    return { record: stopped, exited: Promise.resolve() };
  }
  if (!isAlive(record.state)) return undefined;
  const exited = context.waiters.wait(record, "next-exit");
  const marked = forEdit ? record : await markStopped(context, record);
  await sendSignal(context, marked, signal);
  context.events.publish("container", "kill", id, { ...eventAttributes(record), signal: String(signal) });
  return { record: marked, exited };
}

/** Second half, without the lock, as the handling of the exit needs it. */
async function finishStop(
  context: EngineContext,
  { record, exited }: BegunStop,
  timeout = DEFAULT_TIMEOUT_S,
): Promise<void> {
  if (timeout >= 0 && !(await within(context, exited, timeout * 1000))) {
    for (let round = 1; ; round++) {
      await context.runtime.kill(record.id, SIGKILL);
      context.events.publish("container", "kill", record.id, { ...eventAttributes(record), signal: String(SIGKILL) });
      if (await within(context, exited, KILL_PATIENCE_MS)) break;
      if (round < ROUNDS_FOR_MONITOR) continue;
      // The processes are dead, and nobody says so: the monitor itself stands still.
      context.logger.warn("the monitor of a container does not tell its end, and is killed", {
        container: record.name,
      });
      context.runtime.abandon(record.id);
    }
  }
  await exited;
}

/** Whether the promise settles within the time. */
async function within(context: EngineContext, promise: Promise<unknown>, ms: number): Promise<boolean> {
  const cancel = new AbortController();
  const late = sleep(context.clock, ms, cancel.signal).then(
    () => false,
    () => true,
  );
  try {
    return await Promise.race([promise.then(() => true), late]);
  } finally {
    cancel.abort();
  }
}

/** Kills it for its removal, and waits until the exit was handled. Loops over a restart that came in between. */
export async function killForRemoval(context: EngineContext, id: string): Promise<void> {
  for (;;) {
    const record = context.containers.get(id);
    if (record === undefined) return;
    if (!isAlive(record.state) && record.state.status !== "restarting") return;
    await stopContainer(context, id, { timeout: KILL_PATIENCE_MS / 1000, signal: "SIGKILL", forRemoval: true });
  }
}
