import type { ExitStatus } from "@boxship/runtime";
import { type EngineContext, eventAttributes, liveOf } from "../context.ts";
import { releaseRun, releaseVolumes } from "./container-cleanup.ts";
import { editExited } from "./container-edit.ts";
import { removeLocked } from "./container-remove.ts";
import { scheduleRestart } from "./container-restart-due.ts";
import type { ContainerRecord } from "./record.ts";
import { NO_RESTART, shouldRestart } from "./restart-policy.ts";
import { publishLeft } from "./run-events.ts";
import { isAlive, transition } from "./state.ts";

/** A container's process has ended: record it, tell who waits, restart or clean up. Idempotent per run. */
export async function handleExit(context: EngineContext, id: string, status: ExitStatus): Promise<void> {
  await context.locks.run(id, () => exitLocked(context, id, status));
}

/** As {@link handleExit}; the caller holds the lock. */
export async function exitLocked(context: EngineContext, id: string, status: ExitStatus): Promise<void> {
  const record = context.containers.get(id);
  if (record === undefined || !isAlive(record.state)) return;
  const live = liveOf(context, id);
  if (live.health !== undefined) live.lastHealth = live.health.view;
  live.health?.[Symbol.dispose]();
  delete live.health;
  context.logForwarding.end(id);
  const rotation = live.logRotation;
  delete live.logRotation;
  const restarting =
    record.edit !== undefined ||
    shouldRestart({
      policy: record.hostConfig.restartPolicy ?? NO_RESTART,
      exitCode: status.code,
      stoppedByUser: record.stoppedByUser,
      restartCount: record.restartCount,
    });
  // Addresses and ports are free before anybody hears of the end, so that the next container can have them.
  await context.network.removeSandbox(id).catch((error: unknown) => {
    context.logger.error("the network of an ended container stays for now", { container: record.name, error });
  });
  const ended = editExited(endedRecord(record, status, restarting));
  const saved = await context.containers.note(ended);
  if (status.oomKilled) context.events.publish("container", "oom", id, eventAttributes(ended));
  context.events.publish("container", "die", id, {
    ...eventAttributes(ended),
    exitCode: String(status.code),
    execDuration: String(Math.max(0, Math.round((status.finishedAt.getTime() - record.state.startedAt) / 1000))),
  });
  publishLeft(context, record);
  const autoRemove = record.hostConfig.autoRemove === true && !restarting && live.restartsAsked === 0;
  context.waiters.exited(ended, restarting);
  await rotation?.[Symbol.asyncDispose]();
  if (autoRemove) {
    await releaseVolumes(context, record).catch((error: unknown) => {
      context.logger.warn("a volume of an ended container stays in use for now", { container: record.name, error });
    });
    await removeLocked(context, ended, { volumes: true });
    return;
  }
  // Until the end is on disk, the runtime's report is what the next daemon would know it by.
  await releaseQuietly(context, { ...ended, mounts: record.mounts }, { keepReport: !saved });
  if (!saved) {
    context.containers.whenSaved(id, () =>
      context.background.run(`clean-up of container ${record.name}`, () =>
        context.locks.run(id, () => releaseReported(context, id)),
      ),
    );
  }
  // Who changes its mounts starts it.
  if (restarting && record.edit === undefined) {
    scheduleRestart(context, ended, status.finishedAt.getTime() - record.state.startedAt);
  }
}

async function releaseQuietly(
  context: EngineContext,
  record: ContainerRecord,
  options: { readonly keepReport?: boolean } = {},
): Promise<void> {
  await releaseRun(context, record, options).catch((error: unknown) => {
    context.logger.error("something of an ended container stays for now", { container: record.name, error });
  });
}

/** What {@link exitLocked} kept, unless the container runs again or is gone. */
async function releaseReported(context: EngineContext, id: string): Promise<void> {
  const record = context.containers.get(id);
  if (record !== undefined && !isAlive(record.state)) await releaseQuietly(context, record);
}

function endedRecord(record: ContainerRecord, status: ExitStatus, restarting: boolean): ContainerRecord {
  const startedAt = isAlive(record.state) ? record.state.startedAt : 0;
  return {
    ...record,
    endpoints: record.endpoints.map(({ active: _active, ...endpoint }) => endpoint),
    ports: [],
    state: transition(record.name, record.state, {
      status: restarting ? "restarting" : "exited",
      exitCode: status.code,
      startedAt,
      finishedAt: status.finishedAt.getTime(),
      oomKilled: status.oomKilled,
    }),
  };
}
