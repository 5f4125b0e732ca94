import { randomBytes } from "node:crypto";
import { mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { isAbsolute, join } from "node:path";
import {
  AlreadyExists,
  Conflict,
  FailedPrecondition,
  InvalidArgument,
  NotFound,
  syncDirectory,
  systemCode,
  Unsupported,
} from "@boxship/base";
import { type EngineContext, eventAttributes } from "../context.ts";
import type { CheckpointRef } from "../engine-api.ts";
import { remapOf } from "../remap/remap.ts";
import { markStopped } from "./container-kill.ts";
import type { ContainerRecord } from "./record.ts";

const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;

/** Where a checkpoint is. @throws InvalidArgument */
function placeOf(context: EngineContext, id: string, { name, directory = "" }: CheckpointRef): string {
  if (!NAME.test(name)) {
    throw new InvalidArgument(`Invalid checkpoint ID (${name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`, {
      subject: { kind: "checkpoint", name },
    });
  }
  return join(placeOfAll(context, id, directory), name);
}

function placeOfAll(context: EngineContext, id: string, directory: string): string {
  if (directory === "") return join(context.containers.directoryOf(id), "checkpoints");
  if (isAbsolute(directory)) return directory;
  throw new InvalidArgument(`the checkpoint directory ${directory} is not an absolute path`);
}

/** Writes the state of a running container to files; whole or not at all. */
export async function checkpointContainer(
  context: EngineContext,
  ref: string,
  checkpoint: CheckpointRef & { readonly exit: boolean },
): Promise<void> {
  const { id } = context.containers.resolve(ref);
  const target = placeOf(context, id, checkpoint);
  const ended = await context.locks.run(id, async () => {
    const record = context.containers.resolve(id);
    refuseCheckpoint(context, record);
    if (await exists(target)) {
      throw new AlreadyExists(`checkpoint with name ${checkpoint.name} already exists for container ${record.name}`, {
        subject: { kind: "checkpoint", name: checkpoint.name },
      });
    }
    const unfinished = `${target}.${randomBytes(4).toString("hex")}.tmp`;
    const exited = checkpoint.exit ? context.waiters.wait(record, "next-exit") : undefined;
    exited?.catch(() => {});
    try {
      await mkdir(unfinished, { recursive: true, mode: 0o700 });
      // Its end is the user's wish: no policy starts it again.
      const marked = checkpoint.exit ? await markStopped(context, record) : record;
      await context.runtime.checkpoint(id, { directory: unfinished, exit: checkpoint.exit });
      await rename(unfinished, target);
      await syncDirectory(join(target, ".."));
      context.events.publish("container", "checkpoint", id, eventAttributes(marked));
    } catch (error) {
      await rm(unfinished, { recursive: true, force: true });
      throw error;
    }
    return { exited };
  });
  await ended.exited;
}

/** @throws Unsupported, Conflict, FailedPrecondition of what has no checkpoints, or none now */
export function refuseCheckpoint(
  context: EngineContext,
  { name, state, effective, hostConfig }: ContainerRecord,
): void {
  const subject = { kind: "container", name };
  if (remapOf(context, hostConfig) !== undefined) {
    throw new Unsupported(`checkpoints of containers in a user namespace are not supported: ${name}`, {
      subject,
      remedy: "start it with --userns host",
    });
  }
  if (state.status === "paused") {
    throw new Conflict(`container ${name} is paused`, { subject, remedy: `unpause it first: boxship unpause ${name}` });
  }
  if (state.status !== "running") throw new Conflict(`Container ${name} not running`, { subject });
  if (effective.tty === true) {
    throw new FailedPrecondition(`checkpoint not support on containers with tty: ${name}`, {
      subject,
      remedy: "only containers without a terminal can be checkpointed",
    });
  }
}

/** The names of a container's checkpoints. */
export async function listCheckpoints(context: EngineContext, ref: string, directory = ""): Promise<readonly string[]> {
  const { id } = context.containers.resolve(ref);
  try {
    const entries = await readdir(placeOfAll(context, id, directory), { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory() && !entry.name.endsWith(".tmp")).map(({ name }) => name);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return [];
    throw error;
  }
}

/** @throws NotFound */
export async function removeCheckpoint(context: EngineContext, ref: string, checkpoint: CheckpointRef): Promise<void> {
  const record = context.containers.resolve(ref);
  const place = await findCheckpoint(context, record, checkpoint);
  await context.locks.run(record.id, () => rm(place, { recursive: true, force: true }));
}

/** The directory of a checkpoint. @throws NotFound */
export async function findCheckpoint(
  context: EngineContext,
  { id, name }: ContainerRecord,
  checkpoint: CheckpointRef,
): Promise<string> {
  const place = placeOf(context, id, checkpoint);
  if (await exists(place)) return place;
  throw new NotFound(`checkpoint ${checkpoint.name} does not exist for container ${name}`, {
    subject: { kind: "checkpoint", name: checkpoint.name },
  });
}

async function exists(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    if (systemCode(error) === "ENOENT") return false;
    throw error;
  }
}
