import { Conflict } from "@boxship/base";
import { type EngineContext, eventAttributes } from "../context.ts";
import type { ContainerRecord } from "./record.ts";

function conflict(record: ContainerRecord, what: string): Conflict {
  return new Conflict(`Container ${record.id} is ${what}`, { subject: { kind: "container", name: record.name } });
}

/** Freezes all processes of a running container. */
export async function pauseContainer(context: EngineContext, ref: string): Promise<void> {
  const { id } = context.containers.resolve(ref);
  await context.locks.run(id, async () => {
    const record = context.containers.resolve(id);
    if (record.state.status === "paused") throw conflict(record, "already paused");
    if (record.state.status === "restarting") throw conflict(record, "restarting, wait until the container is running");
    if (record.state.status !== "running") throw conflict(record, "not running");
    await context.runtime.pause(id);
    await context.containers.save({ ...record, state: { ...record.state, status: "paused" } });
    context.events.publish("container", "pause", id, eventAttributes(record));
  });
}

/** Lets a paused container go on. */
export async function unpauseContainer(context: EngineContext, ref: string): Promise<void> {
  const { id } = context.containers.resolve(ref);
  await context.locks.run(id, async () => {
    const record = context.containers.resolve(id);
    if (record.state.status !== "paused") throw conflict(record, "not paused");
    await context.runtime.resume(id);
    await context.containers.save({ ...record, state: { ...record.state, status: "running" } });
    context.events.publish("container", "unpause", id, eventAttributes(record));
  });
}
