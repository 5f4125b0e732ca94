import { randomBytes } from "node:crypto";
import { mkdir, open, rename } from "node:fs/promises";
import { join } from "node:path";
import { type KeyedMutex, type Logger, syncDirectory } from "@boxship/base";
import { Conflict, NotFound } from "@boxship/base/errors";
import type { Trash } from "../overlay/trash.ts";
import { syncFilesystem } from "../storage-pool.ts";
import { DATA, SNAPSHOTS, USERS, VOLUME_RECORD, type Volume, type VolumeInfo } from "./volume-record.ts";

/** Volumes that are being made. */
export const STAGES = ".stages";
export const TRASH = ".trash";

/** What the verbs of the volume store work with. */
export interface VolumeState {
  readonly root: string;
  readonly logger: Logger;
  readonly volumes: Map<string, Volume>;
  /** By volume. */
  readonly locks: KeyedMutex;
  readonly trash: Trash;
}

/** @throws NotFound */
export function volumeOf(state: VolumeState, name: string): Volume {
  const volume = state.volumes.get(name);
  if (volume !== undefined) return volume;
  throw new NotFound(`get ${name}: no such volume`, { subject: { kind: "volume", name } });
}

/** @throws Conflict while a container, or work on the volume, has it mounted */
export function refuseUsed({ name, users }: Volume, what: string): void {
  if (users.size === 0) return;
  throw new Conflict(`volume ${name} cannot be ${what}: it is in use by ${[...users].join(", ")}`, {
    subject: { kind: "volume", name },
    remedy: "stop what uses it first",
  });
}

/**
 * Fills a directory in a place that nobody sees, and puts it where it belongs once everything in it is on the disk: after
 * a crash it is there whole or not at all.
 */
export async function publishDirectory(
  state: VolumeState,
  target: string,
  fill: (stage: string) => Promise<void>,
  /** Whether there is more in it than what {@link fill} has made durable itself. */
  { deep }: { readonly deep: boolean },
): Promise<void> {
  const stage = join(state.root, STAGES, randomBytes(8).toString("hex"));
  try {
    await mkdir(stage, { mode: 0o710 });
    await fill(stage);
    await (deep ? syncFilesystem(stage) : syncDirectory(stage));
    await rename(stage, target);
    await syncDirectory(join(target, ".."));
  } catch (error) {
    await state.trash.take(stage);
    throw error;
  }
}

/** The directories and the record of a new volume. */
export async function layOutVolume(stage: string, info: Omit<VolumeInfo, "mountpoint" | "driver">): Promise<void> {
  const { name, labels, options, created } = info;
  await Promise.all([
    mkdir(join(stage, DATA), { mode: 0o755 }),
    mkdir(join(stage, USERS), { mode: 0o700 }),
    mkdir(join(stage, SNAPSHOTS), { mode: 0o700 }),
  ]);
  await using file = await open(join(stage, VOLUME_RECORD), "wx", 0o600);
  await file.writeFile(JSON.stringify({ name, labels, options, created }));
  await file.sync();
}
