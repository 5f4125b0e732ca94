import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { Conflict, InvalidArgument } from "@boxship/base";
import type { ContainerRecord } from "../container/record.ts";
import { type EngineContext, eventAttributes, liveOf } from "../context.ts";
import type { ExecConfig } from "../engine-api.ts";
import { parseDetachKeys } from "../stream/detach-keys.ts";

/** Prepares a process in a running container. @returns its id */
export function createExec(context: EngineContext, containerRef: string, config: ExecConfig): string {
  const record = context.containers.resolve(containerRef);
  requireRunning(record);
  if (config.cmd.length === 0) throw new InvalidArgument("No exec command specified");
  parseDetachKeys(config.detachKeys);
  const id = randomBytes(32).toString("hex");
  context.execs.add({ id, containerId: record.id, config, state: { status: "created" } });
  liveOf(context, record.id).execIds.add(id);
  context.events.publish("container", `exec_create: ${config.cmd.join(" ")}`, record.id, {
    ...eventAttributes(record),
    execID: id,
  });
  return id;
}

/** @throws Conflict with Docker's texts */
export function requireRunning({ id, name, state }: ContainerRecord): void {
  const subject = { kind: "container", name };
  if (state.status === "paused") {
    throw new Conflict(`container ${id} is paused, unpause the container before exec`, { subject });
  }
  if (state.status === "restarting") {
    throw new Conflict(`container ${id} is restarting, wait until the container is running`, { subject });
  }
  // A process that has just ended may not have been reported yet.
  if (state.status !== "running" || !existsSync(`/proc/${state.pid}/root/`)) {
    throw new Conflict(`container ${id} is not running`, { subject });
  }
}
