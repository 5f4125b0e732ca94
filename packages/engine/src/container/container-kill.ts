import { Conflict, InvalidArgument } from "@boxship/base";
import { SIGKILL, signalNumber } from "@boxship/kernel";
import { type EngineContext, eventAttributes } from "../context.ts";
import { withoutEdit } from "./container-edit.ts";
import type { ContainerRecord } from "./record.ts";
import { isAlive } from "./state.ts";

/** A signal's number from `KILL`, `SIGKILL`, `9` or `RTMIN+3`. @throws InvalidArgument */
export function parseSignal(signal: string): number {
  try {
    return signalNumber(signal);
  } catch (cause) {
    throw new InvalidArgument(`Invalid signal: ${signal}`, { subject: { kind: "signal", name: signal }, cause });
  }
}

/** The signal that stops a container when nobody names one. */
export function stopSignalOf({ effective }: Pick<ContainerRecord, "effective">): number {
  try {
    return parseSignal(effective.stopSignal || "SIGTERM");
  } catch {
    // A container's own was checked when it was created; an image may say anything.
    return parseSignal("SIGTERM");
  }
}

/** How long a kill waits to see the end of what it has killed. */
const KILL_PATIENCE_MS = 10_000;

/**
 * Sends a signal to process 1. After SIGKILL it resolves once the end was handled, so that the container can be started
 * or removed at once.
 *
 * @throws Conflict when it is not running
 */
export async function killContainer(context: EngineContext, ref: string, signal = "SIGKILL"): Promise<void> {
  const number = parseSignal(signal);
  const { id } = context.containers.resolve(ref);
  const exited = await context.locks.run(id, async () => {
    const record = context.containers.resolve(id);
    if (!isAlive(record.state)) {
      throw new Conflict(`cannot kill container: ${ref}: container ${id} is not running`, {
        subject: { kind: "container", name: record.name },
      });
    }
    const patience = new AbortController();
    const end = context.waiters.wait(record, "next-exit", patience.signal).catch(() => {});
    const ends = number === SIGKILL || number === stopSignalOf(record);
    await sendSignal(context, ends ? await markStopped(context, withoutEdit(record)) : record, number);
    context.events.publish("container", "kill", id, { ...eventAttributes(record), signal: String(number) });
    return { end, patience };
  });
  using _timer = context.clock.setTimeout(number === SIGKILL ? KILL_PATIENCE_MS : 0, () => exited.patience.abort());
  if (number === SIGKILL) await exited.end;
  else exited.patience.abort();
}

/** The end that follows is the user's wish: no restart policy brings it back. Durable before the signal is sent. */
export async function markStopped(context: EngineContext, record: ContainerRecord): Promise<ContainerRecord> {
  // Only a policy looks at the mark; without one the write would be for nothing.
  const policy = record.hostConfig.restartPolicy?.name ?? "no";
  const marked = record.stoppedByUser || policy === "no" ? record : { ...record, stoppedByUser: true };
  await context.containers.note(marked);
  return marked;
}

/** Signals process 1; a paused container is thawed so that it can act on it. */
export async function sendSignal(context: EngineContext, record: ContainerRecord, signal: number): Promise<void> {
  await context.runtime.kill(record.id, signal);
  if (record.state.status !== "paused") return;
  await context.runtime.resume(record.id);
  await context.containers.note({ ...record, state: { ...record.state, status: "running" } });
}
