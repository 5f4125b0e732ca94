import { errorMessage } from "@boxship/base";
import { currentRecord, type EngineContext, liveOf } from "../context.ts";
import { startRecreated } from "./container-recreate.ts";
import { startLocked } from "./container-start.ts";
import type { ContainerRecord } from "./record.ts";
import { NO_RESTART, nextDelay, shouldRestart } from "./restart-policy.ts";

/** Starts a `restarting` container again after its back-off. The caller holds the lock. */
export function scheduleRestart(context: EngineContext, record: ContainerRecord, ranMs: number): void {
  const live = liveOf(context, record.id);
  const delay = nextDelay(live.restartDelayMs, ranMs);
  live.restartDelayMs = delay;
  live.restart?.timer[Symbol.dispose]();
  const timer = context.clock.setTimeout(delay, () => {
    context.background.run(`restart of container ${record.name}`, () =>
      context.locks.run(record.id, () => restartNow(context, record.id)),
    );
  });
  live.restart = { timer };
}

async function restartNow(context: EngineContext, id: string): Promise<void> {
  const record = context.containers.get(id);
  // A stop, a start or a removal came first.
  if (record?.state.status !== "restarting" || context.isBeingRemoved) return;
  if (record.edit !== undefined) return await startRecreated(context, id);
  await context.containers.note({ ...record, restartCount: record.restartCount + 1 });
  try {
    await startLocked(context, id, { byUser: false });
  } catch (error) {
    context.logger.warn("restart failed", { container: record.name, error: errorMessage(error) });
    await retryFailedStart(context, id);
  }
}

/** A start that failed counts as a run that failed at once. */
async function retryFailedStart(context: EngineContext, id: string): Promise<void> {
  if (context.containers.get(id) === undefined) return;
  const record = currentRecord(context, id);
  const { state } = record;
  // It still is `restarting` when something of its last run was in the way.
  if (state.status !== "exited" && state.status !== "restarting") return;
  const again = shouldRestart({
    policy: record.hostConfig.restartPolicy ?? NO_RESTART,
    exitCode: state.exitCode,
    stoppedByUser: record.stoppedByUser,
    restartCount: record.restartCount,
  });
  if (!again) return;
  const restarting: ContainerRecord = { ...record, state: { ...state, status: "restarting" } };
  await context.containers.note(restarting);
  scheduleRestart(context, restarting, 0);
}
