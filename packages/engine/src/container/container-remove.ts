import { Conflict, errorMessage, NotFound } from "@boxship/base";
import { type EngineContext, eventAttributes } from "../context.ts";
import { volumePin } from "../volume/volume-ensure.ts";
import { releaseMounts } from "./container-cleanup.ts";
import { killForRemoval } from "./container-stop.ts";
import type { ContainerRecord } from "./record.ts";
import { isAlive } from "./state.ts";

export interface RemoveOptions {
  /** Kill it first if it runs. */
  readonly force?: boolean;
  /** Also its anonymous volumes. */
  readonly volumes?: boolean;
}

/** Removes a container; its name, addresses and record are gone when it resolves. @throws Conflict when it runs */
export async function removeContainer(context: EngineContext, ref: string, options: RemoveOptions = {}): Promise<void> {
  const { id } = context.containers.resolve(ref);
  if (options.force === true) await killForRemoval(context, id);
  await context.locks.run(id, async () => {
    const record = context.containers.get(id);
    // A container with --rm removes itself as soon as it was killed.
    if (record === undefined && options.force === true) return;
    if (record === undefined) throw new NotFound(`No such container: ${ref}`);
    if (isAlive(record.state) || record.state.status === "restarting") throw stillRunning(record);
    await removeLocked(context, record, options);
  });
}

function stillRunning(record: ContainerRecord): Conflict {
  const { status } = record.state;
  const hint =
    status === "paused"
      ? "unpause and then stop the container before removing or force remove"
      : "stop the container before removing or force remove";
  return new Conflict(`cannot remove container "/${record.name}": container is ${status}: ${hint}`, {
    subject: { kind: "container", name: record.name },
    remedy: `boxship rm -f ${record.name}`,
  });
}

/** The removal itself; the caller holds the lock and the container does not run. */
export async function removeLocked(
  context: EngineContext,
  record: ContainerRecord,
  { volumes = false }: Pick<RemoveOptions, "volumes">,
): Promise<void> {
  const { id } = record;
  await context.network.removeSandbox(id);
  const retired: ContainerRecord = { ...record, removeVolumes: volumes };
  await context.containers.retire(retired);
  context.live.delete(id);
  context.execs.forget(id);
  // What is left on disk and in the kernel goes while the caller has its answer already.
  context.background.run(`clean-up of container ${record.name}`, () => cleanUpRetired(context, retired));
  context.events.publish("container", "destroy", id, eventAttributes(record));
  context.waiters.removed(record);
}

/** Second half of a removal: everything that the container left. Idempotent; a new daemon takes it up again. */
export async function cleanUpRetired(context: EngineContext, record: ContainerRecord): Promise<void> {
  await context.runtime.delete(record.id);
  await context.network.removeSandbox(record.id);
  await releaseMounts(context, record);
  await context.snapshotter.removeContainer(record.id);
  if (record.removeVolumes === true) await removeAnonymousVolumes(context, record);
  await context.containers.delete(record.id);
}

async function removeAnonymousVolumes(context: EngineContext, record: ContainerRecord): Promise<void> {
  for (const point of record.mounts) {
    if (point.type !== "volume" || point.anonymous !== true || point.name === undefined) continue;
    const { name } = point;
    const inUse = context.containers.all().some((other) => other.mounts.some((mount) => mount.name === name));
    if (inUse || context.pins.has(volumePin(name))) continue;
    try {
      await context.volumeStore.remove(name);
      context.events.publish("volume", "destroy", name, { driver: "local" });
    } catch (error) {
      if (!(error instanceof NotFound))
        context.logger.warn("volume stays", { volume: name, error: errorMessage(error) });
    }
  }
}
