import { asBoxshipError, Conflict, errorMessage, FailedPrecondition } from "@boxship/base";
import { type LogConnection, type OciSpec, StartError } from "@boxship/runtime";
import { currentRecord, type EngineContext, eventAttributes, liveOf, refuseWhileBeingRemoved } from "../context.ts";
import type { CheckpointRef } from "../engine-api.ts";
import { StartFailed } from "../errors.ts";
import { logPathOf } from "../log/log-path.ts";
import { type LogPlan, planLog } from "../log/log-plan.ts";
import { startLogRotation } from "../log/log-rotation.ts";
import { reachLogServer } from "../log/log-server.ts";
import { followLinks } from "../network/live-files.ts";
import { checkRemapped, remapOf, remappedRuntime } from "../remap/remap.ts";
import type { HostConfig } from "./config.ts";
import { attachToRuntime } from "./container-attach.ts";
import { findCheckpoint } from "./container-checkpoint.ts";
import { releaseRun } from "./container-cleanup.ts";
import { editFailed, withoutEdit } from "./container-edit.ts";
import { removeLocked } from "./container-remove.ts";
import { startHealth } from "./health-start.ts";
import type { ContainerRecord } from "./record.ts";
import { publishTaken } from "./run-events.ts";
import { joinNetworks } from "./start-network.ts";
import { prepareRootfs } from "./start-rootfs.ts";
import { buildContainerSpec } from "./start-spec.ts";
import { type ContainerState, isAlive, transition } from "./state.ts";

/** Starts a container. @returns false when it was running already */
export async function startContainer(context: EngineContext, ref: string, from?: CheckpointRef): Promise<boolean> {
  const record = context.containers.resolve(ref);
  const restoreFrom = from === undefined ? undefined : await findCheckpoint(context, record, from);
  return context.locks.run(record.id, () => startLocked(context, record.id, { byUser: true, restoreFrom }));
}

/**
 * The start itself; the caller holds the container's lock. A failure leaves nothing of it behind, is kept in the record
 * and thrown.
 */
export async function startLocked(
  context: EngineContext,
  id: string,
  { byUser, restoreFrom }: { readonly byUser: boolean; readonly restoreFrom?: string | undefined },
): Promise<boolean> {
  const record = currentRecord(context, id);
  if (record.state.status === "running") return false;
  refuseWhileBeingRemoved(context);
  refuseStart(record);
  const live = liveOf(context, id);
  live.restart?.timer[Symbol.dispose]();
  delete live.restart;
  if (byUser) delete live.restartDelayMs;
  if (live.remains === true) await removeRemains(context, record);
  live.starting = new AbortController();
  await using undo = new AsyncDisposableStack();
  try {
    const begun = byUser ? { ...record, restartCount: 0, stoppedByUser: false } : record;
    // A restart by policy does not wait for a server that is away for a while.
    const logServer = byUser ? await reachLogServer(context, begun, live.starting.signal) : undefined;
    if (logServer !== undefined) undo.use(logServer);
    const started = await launch(context, begun, undo, { restoreFrom, logServer });
    undo.move();
    followLinks(context, started);
    publishTaken(context, started);
    context.events.publish("container", "start", id, eventAttributes(started));
    startHealth(context, started);
    return true;
  } catch (error) {
    await takeBack(context, record, undo);
    throw await recordFailure(context, record, error);
  } finally {
    delete live.starting;
  }
}

/** What cannot be taken back must not hide why the start failed. */
async function takeBack(context: EngineContext, record: ContainerRecord, undo: AsyncDisposableStack): Promise<void> {
  try {
    await undo.disposeAsync();
  } catch (error) {
    liveOf(context, record.id).remains = true;
    context.logger.error("a failed start cannot be taken back as a whole", { container: record.name, error });
  }
}

async function removeRemains(context: EngineContext, record: ContainerRecord): Promise<void> {
  try {
    await releaseRun(context, record);
  } catch (cause) {
    throw new FailedPrecondition(
      `container ${record.name} cannot be started: something of its last run is still there: ${errorMessage(cause)}`,
      { subject: { kind: "container", name: record.name }, cause },
    );
  }
}

function refuseStart({ state, name }: ContainerRecord): void {
  const subject = { kind: "container", name };
  if (state.status === "paused") {
    throw new Conflict("cannot start a paused container, try unpause instead", { subject });
  }
  if (state.status === "removing" || state.status === "dead") {
    throw new FailedPrecondition(`container is marked for removal and cannot be started`, { subject });
  }
}

async function launch(
  context: EngineContext,
  record: ContainerRecord,
  undo: AsyncDisposableStack,
  {
    restoreFrom,
    logServer,
  }: { readonly restoreFrom: string | undefined; readonly logServer: LogConnection | undefined },
): Promise<ContainerRecord> {
  const { runtime, containers } = context;
  // The configuration may be another one than when it was created.
  checkRemapped(context, record.hostConfig);
  const { id, effective, hostConfig } = record;
  // The two touch nothing in common: namespaces and addresses here, mounts there.
  const [network, rootfs] = await allOrUndo([
    joinNetworks(context, record, undo),
    prepareRootfs(context, record, undo, remapOf(context, hostConfig)),
  ]);
  const spec = await buildContainerSpec(context, record, { rootfs, network });
  const { starting } = liveOf(context, id);
  const limits = planLog(hostConfig.logConfig, context.options.log);
  const logPath = logPathOf(context, id);
  undo.defer(() => runtime.delete(id));
  const { pid } = await runtime.create({
    id,
    ...(starting === undefined ? {} : { signal: starting.signal }),
    ...(restoreFrom === undefined ? {} : { restoreFrom }),
    spec,
    terminal: effective.tty === true,
    stdin: effective.openStdin === true,
    stdinOnce: effective.stdinOnce === true,
    ...(limits.kept ? { logPath, logSizeLimit: hardLimit(limits) } : {}),
    ...runtimeOf(context, hostConfig),
  });
  const live = liveOf(context, id);
  // Clients that attached before the start must be there before the first byte is written.
  await Promise.all([...live.pendingAttaches].map((pending) => attachToRuntime(context, id, pending)));
  live.pendingAttaches.clear();
  const startedAt = context.clock.now();
  const started: ContainerRecord = {
    ...withoutEdit(record),
    endpoints: network.endpoints,
    ports: network.ports,
    user: userOf(spec),
    state: transition(record.name, record.state, {
      status: "running",
      pid,
      startedAt,
      ...finishedBefore(record.state),
    }),
  };
  // Durable first: an exit that comes right after the start finds a running record.
  await containers.save(started);
  undo.defer(() => containers.save(record));
  await context.logForwarding.begin(context, started, logServer);
  undo.defer(() => context.logForwarding.end(id));
  if (restoreFrom === undefined) await runtime.start(id);
  if (limits.kept && limits.maxSize > 0) live.logRotation = startLogRotation(context, id, limits);
  return started;
}

function userOf({ process: { user } }: OciSpec): NonNullable<ContainerRecord["user"]> {
  return { uid: user.uid, gid: user.gid, groups: user.additionalGids ?? [] };
}

function finishedBefore(state: ContainerState): { readonly finishedAt?: number } {
  return "finishedAt" in state && state.finishedAt !== undefined ? { finishedAt: state.finishedAt } : {};
}

/** Far more than is written between two looks at a log. */
const HARD_LIMIT = 100 << 20;

function runtimeOf(context: EngineContext, hostConfig: HostConfig): { readonly runtime?: string } {
  const { runtime: asked = "" } = hostConfig;
  if (remapOf(context, hostConfig) !== undefined) return { runtime: remappedRuntime(context, asked) };
  return asked === "" ? {} : { runtime: asked };
}

/**
 * What the monitor itself keeps to, for when nobody rotates: it begins anew rather than fill the disk. A log that is
 * rotated never comes there, however small its own limit: what was not sent yet would be lost.
 */
function hardLimit({ maxSize, maxFile }: LogPlan): number {
  return maxSize <= 0 ? 0 : Math.max(HARD_LIMIT, maxSize * Math.max(2, maxFile));
}

/** Waits for all, so that the undo stack is complete before it is unwound. */
async function allOrUndo<A, B>(tasks: readonly [Promise<A>, Promise<B>]): Promise<readonly [A, B]> {
  const [a, b] = await Promise.allSettled(tasks);
  if (a.status === "rejected") throw a.reason;
  if (b.status === "rejected") throw b.reason;
  return [a.value, b.value];
}

async function recordFailure(context: EngineContext, before: ContainerRecord, thrown: unknown): Promise<Error> {
  const cause = asBoxshipError(thrown);
  const exitCode = thrown instanceof StartError || thrown instanceof StartFailed ? thrown.exitCode : 128;
  const error = thrown instanceof StartError ? new StartFailed(cause.message, exitCode, { cause }) : cause;
  const live = liveOf(context, before.id);
  for (const pending of live.pendingAttaches) pending.fail();
  live.pendingAttaches.clear();
  const { state } = before;
  const failed = editFailed({
    ...before,
    endpoints: before.endpoints.map(({ active: _active, ...endpoint }) => endpoint),
    ports: [],
    state:
      state.status === "created"
        ? { status: "created", exitCode, error: error.message }
        : {
            status: "exited",
            exitCode,
            error: error.message,
            startedAt: "startedAt" in state ? (state.startedAt ?? 0) : 0,
            finishedAt: context.clock.now(),
            oomKilled: false,
          },
  });
  await context.containers.note(failed);
  if (failed.state.status === "exited") context.waiters.exited(failed, false);
  const isOver = failed.state.status !== "restarting" && !isAlive(state);
  if (before.hostConfig.autoRemove === true && isOver) await removeLocked(context, failed, { volumes: true });
  return error;
}
