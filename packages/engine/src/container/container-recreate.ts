import { Conflict, errorMessage, FailedPrecondition } from "@boxship/base";
import { currentRecord, type EngineContext } from "../context.ts";
import { mountSetOf } from "./container-edit.ts";
import { startLocked } from "./container-start.ts";
import { stopContainer } from "./container-stop.ts";
import type { ContainerRecord } from "./record.ts";
import { isAlive } from "./state.ts";

/**
 * A container that cannot get other mounts while its process runs gets them with a new process. Its id, name, files,
 * counters and policies stay; one that does not start with the new mounts runs on with the old ones.
 */

/** The first step, durable: from here on it happens, whoever does it. The caller holds the lock. */
export async function beginRecreation(
  context: EngineContext,
  record: ContainerRecord,
  wanted: ContainerRecord,
): Promise<void> {
  await context.containers.save({ ...record, edit: { phase: "stopping", set: mountSetOf(wanted) } });
}

/**
 * The rest. Without the lock, as the handling of the exit needs it.
 *
 * @throws why it does not run with its new mounts
 */
export async function finishRecreation(context: EngineContext, id: string): Promise<void> {
  const { state } = currentRecord(context, id);
  if (isAlive(state)) await stopContainer(context, id, { forEdit: true });
  await context.locks.run(id, () => startRecreated(context, id));
}

/** The last step. The caller holds the lock. */
export async function startRecreated(context: EngineContext, id: string): Promise<void> {
  const record = currentRecord(context, id);
  if (record.edit === undefined) {
    // Another client has started it.
    if (isAlive(record.state)) return;
    throw new Conflict(`container ${record.name} was stopped while its mounts were being changed`, {
      subject: { kind: "container", name: record.name },
      remedy: `start it; boxship inspect ${record.name} tells what it has mounted`,
    });
  }
  try {
    await startLocked(context, id, { byUser: false });
  } catch (cause) {
    await startLocked(context, id, { byUser: false });
    throw new FailedPrecondition(
      `container ${record.name} does not start with the change, and runs as before: ${errorMessage(cause)}`,
      { subject: { kind: "container", name: record.name }, cause },
    );
  }
}

/** @throws Conflict */
export function refuseEdited({ name, edit }: ContainerRecord): void {
  if (edit === undefined) return;
  throw new Conflict(`the mounts of container ${name} are being changed`, { subject: { kind: "container", name } });
}
