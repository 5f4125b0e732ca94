import { errorMessage, NotFound } from "@boxship/base";
import type { EngineContext } from "../context.ts";
import { volumePin } from "../volume/volume-ensure.ts";
import { releaseMounts } from "./container-cleanup.ts";
import type { ContainerRecord } from "./record.ts";

const FIRST_DELAY_MS = 1_000;
const LONGEST_DELAY_MS = 5 * 60_000;

/**
 * Takes away everything that a removed container left, while the caller has its answer already. What is in the way is
 * logged and shown by `info`, and it is tried again, ever more seldom; the next daemon takes it up, too.
 */
export function cleanUpInBackground(context: EngineContext, record: ContainerRecord, delay = FIRST_DELAY_MS): void {
  const { background, stuckRemovals, clock, logger } = context;
  background.run(`clean-up of container ${record.name}`, async () => {
    try {
      await cleanUpRetired(context, record);
      stuckRemovals.delete(record.id);
    } catch (error) {
      const reason = errorMessage(error);
      if (!stuckRemovals.has(record.id)) {
        logger.warn("a removed container cannot be cleaned up", { container: record.name, id: record.id, reason });
      }
      const timer = clock.setTimeout(delay, () =>
        cleanUpInBackground(context, record, Math.min(delay * 2, LONGEST_DELAY_MS)),
      );
      stuckRemovals.set(record.id, { record, reason, timer });
    }
  });
}

/**
 * Everything that a removed container left. One thing that stays does not keep the others; the record goes only when all
 * is gone. Idempotent.
 *
 * @throws what was in the way first
 */
export async function cleanUpRetired(context: EngineContext, record: ContainerRecord): Promise<void> {
  const { id } = record;
  const failures: unknown[] = [];
  const step = (task: Promise<unknown>) => task.catch((error: unknown) => failures.push(error));
  await step(context.runtime.delete(id));
  await step(context.logForwarding.drain(context, record));
  await step(context.network.removeSandbox(id));
  await step(releaseMounts(context, record));
  await step(context.snapshotter.removeContainer(id));
  if (record.removeVolumes === true) await removeAnonymousVolumes(context, record);
  if (failures.length > 0) throw failures[0];
  await context.containers.delete(id);
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
