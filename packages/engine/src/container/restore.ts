import { errorMessage } from "@boxship/base";
import { currentRecord, type EngineContext, liveOf } from "../context.ts";
import { planLog } from "../log/log-plan.ts";
import { startLogRotation } from "../log/log-rotation.ts";
import { mountedPods } from "../pod/pod-namespaces.ts";
import { restorePods } from "../pod/pod-stop.ts";
import { dropCutArchives } from "./checkpoint-archive.ts";
import { releaseMounts } from "./container-cleanup.ts";
import { exitLocked } from "./container-exit.ts";
import { settleMount } from "./container-mounts.ts";
import { settlePorts } from "./container-ports.ts";
import { finishRecreation } from "./container-recreate.ts";
import { removeLocked } from "./container-remove.ts";
import { scheduleRestart } from "./container-restart-due.ts";
import { startLocked } from "./container-start.ts";
import { startHealth } from "./health-start.ts";
import type { ContainerRecord } from "./record.ts";
import { NO_RESTART, shouldStartOnBoot } from "./restart-policy.ts";
import { cleanUpInBackground } from "./retired-cleanup.ts";
import { isAlive } from "./state.ts";

/**
 * Brings records and reality together when the engine opens: what still runs is taken over, exits that happened
 * meanwhile are handled, interrupted starts and removals are cleaned up, and restart policies have their way.
 */
export async function restoreContainers(context: EngineContext): Promise<void> {
  const records = context.containers.all();
  const live = records.filter(({ state }) => isAlive(state)).map(({ id }) => id);
  // Everything in the kernel that belongs to no running record is the rest of something interrupted.
  await context.runtime.reconcile(live);
  const pods = context.pods.all().filter(({ state }) => state === "ready");
  await context.network.reconcile([...live, ...pods.map(({ id }) => id)]);
  await context.snapshotter.reconcile(records.map(({ id }) => id));
  await context.volumeStore.reconcile(live);
  for (const record of context.containers.retired()) {
    cleanUpInBackground(context, record);
  }
  await Promise.all(records.map((record) => context.locks.run(record.id, () => restoreOne(context, record))));
  await restorePods(context, await mountedPods(context));
}

async function restoreOne(context: EngineContext, record: ContainerRecord): Promise<void> {
  try {
    if (isAlive(record.state)) await takeOver(context, record);
    else await settle(context, record);
  } catch (error) {
    context.logger.error("container could not be restored", { container: record.name, error: errorMessage(error) });
  }
}

async function takeOver(context: EngineContext, record: ContainerRecord): Promise<void> {
  const { id } = record;
  const found = await context.runtime.adopt(id);
  switch (found.status) {
    case "running":
    case "paused": {
      const startedAt = isAlive(record.state) ? record.state.startedAt : context.clock.now();
      const cut = await dropCutArchives(context, id);
      // Only for a checkpoint: nobody who could let it go on knows of that.
      const held = cut && found.status === "paused" && record.state.status === "running";
      if (held) await context.runtime.resume(id);
      const state = { status: held ? "running" : found.status, pid: found.pid, startedAt } as const;
      if (record.state.status !== state.status) await context.containers.save({ ...record, state });
      await settleMount(context, currentRecord(context, id));
      await settlePorts(context, record);
      await resume(context, record);
      goOn(context, record);
      return;
    }
    case "created":
      // The start was recorded, and cut off before the process was let go: nobody was told that it runs.
      await context.runtime.start(id);
      await resume(context, record);
      return;
    case "stopped":
      await context.logForwarding.finish(context, record);
      await exitLocked(context, id, found.exit);
      goOn(context, record);
      return;
    case "absent":
      await context.logForwarding.finish(context, record);
      // After a reboot there is nothing left that could tell how it ended.
      await exitLocked(context, id, { code: 255, finishedAt: new Date(context.clock.now()), oomKilled: false });
      goOn(context, record);
      return;
  }
}

/** A change of its mounts that was cut off. */
function goOn(context: EngineContext, { id, name, edit }: ContainerRecord): void {
  if (edit === undefined) return;
  context.background.run(`change of the mounts of container ${name}`, () => finishRecreation(context, id));
}

async function resume(context: EngineContext, record: ContainerRecord): Promise<void> {
  const limits = planLog(record.hostConfig.logConfig, context.options.log);
  if (limits.kept && limits.maxSize > 0) {
    liveOf(context, record.id).logRotation = startLogRotation(context, record.id, limits);
  }
  startHealth(context, record);
  await context.logForwarding.begin(context, record);
}

async function settle(context: EngineContext, record: ContainerRecord): Promise<void> {
  const { state } = record;
  await releaseMounts(context, record);
  if (state.status !== "created") await context.logForwarding.finish(context, record);
  if (state.status === "restarting") {
    scheduleRestart(context, record, 0);
    return;
  }
  if (state.status !== "exited") return;
  if (record.hostConfig.autoRemove === true) {
    await removeLocked(context, record, { volumes: true });
    return;
  }
  const policy = record.hostConfig.restartPolicy ?? NO_RESTART;
  const { stoppedByUser, restartCount } = record;
  if (!shouldStartOnBoot({ policy, exitCode: state.exitCode, stoppedByUser, restartCount })) return;
  context.background.run(`start of container ${record.name}`, () =>
    context.locks.run(record.id, () => startLocked(context, record.id, { byUser: false })),
  );
}
