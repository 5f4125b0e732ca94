import { Conflict, NotFound } from "@boxship/base";
import { type EngineContext, eventAttributes } from "../context.ts";
import { killForRemoval } from "./container-stop.ts";
import type { ContainerRecord } from "./record.ts";
import { cleanUpInBackground } from "./retired-cleanup.ts";
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
  if (options.force === true) {
    // A start that hangs would hold the lock for long.
    context.live.get(id)?.starting?.abort(new Conflict(`container ${id} is being removed`));
    await killForRemoval(context, id);
  }
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
  // Its addresses are free when the answer comes; what cannot be taken away now is tried again below.
  await context.network.removeSandbox(id).catch((error: unknown) => {
    context.logger.warn("the network of a removed container stays for now", { container: record.name, error });
  });
  const retired: ContainerRecord = { ...record, removeVolumes: volumes };
  await context.containers.retire(retired);
  context.live.delete(id);
  context.execs.forget(id);
  cleanUpInBackground(context, retired);
  context.events.publish("container", "destroy", id, eventAttributes(record));
  context.waiters.removed(record);
}
