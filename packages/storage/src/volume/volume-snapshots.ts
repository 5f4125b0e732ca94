import { existsSync, readFileSync } from "node:fs";
import { mkdir, readdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { syncDirectory } from "@boxship/base";
import { Conflict, NotFound, systemCode, Unsupported } from "@boxship/base/errors";
import { copyTreeAway, measureTree, syncFilesystem } from "../storage-pool.ts";
import { checkVolumeName, DATA, SNAPSHOTS, type Volume } from "./volume-record.ts";
import { publishDirectory, refuseUsed, type VolumeState, volumeOf } from "./volume-state.ts";

/** A copy of a volume's content at one time. */
export interface VolumeSnapshot {
  readonly name: string;
  /** Milliseconds since the epoch. */
  readonly created: number;
  /** What it takes on the disk, as `du` counts: blocks that a file system shares are counted. */
  readonly size: number;
}

const SNAPSHOT_RECORD = "snapshot.json";
/** Content that is to take the place of {@link DATA}, and what it has replaced. */
const NEXT = "_data.next";
const LAST = "_data.last";

const snapshotDirectory = (volume: Volume, snapshot: string) => join(volume.directory, SNAPSHOTS, snapshot);

/** @throws NotFound */
export function snapshotContent(volume: Volume, snapshot: string): string {
  const directory = snapshotDirectory(volume, snapshot);
  // A name that is none could lead elsewhere.
  if (!snapshot.includes("/") && !snapshot.startsWith(".") && existsSync(join(directory, SNAPSHOT_RECORD))) {
    return join(directory, DATA);
  }
  throw new NotFound(`volume ${volume.name} has no snapshot ${snapshot}`, {
    subject: { kind: "snapshot", name: snapshot },
  });
}

/** The oldest first. */
export async function listSnapshots(state: VolumeState, name: string): Promise<readonly VolumeSnapshot[]> {
  const volume = volumeOf(state, name);
  const names = await snapshotNames(volume);
  const snapshots = await Promise.all(
    names.map(async (snapshot): Promise<VolumeSnapshot> => {
      const content = snapshotContent(volume, snapshot);
      const record = JSON.parse(readFileSync(join(content, "..", SNAPSHOT_RECORD), "utf8")) as { created: number };
      return { name: snapshot, created: record.created, size: (await measureTree(content)).size };
    }),
  );
  return snapshots.sort((a, b) => a.created - b.created);
}

export async function snapshotNames(volume: Volume): Promise<readonly string[]> {
  try {
    return await readdir(join(volume.directory, SNAPSHOTS));
  } catch (error) {
    // A volume of an earlier version.
    if (systemCode(error) === "ENOENT") return [];
    throw error;
  }
}

/**
 * Keeps a copy of what a mounted volume has now. Blocks are shared where the file system can. What is written meanwhile
 * may be in it or not, file by file.
 *
 * @throws Conflict when there is one of that name
 */
export async function createSnapshot(state: VolumeState, name: string, snapshot: string): Promise<void> {
  checkVolumeName(snapshot);
  const volume = volumeOf(state, name);
  const target = snapshotDirectory(volume, snapshot);
  await state.locks.run(`${name}/${snapshot}`, async () => {
    if (existsSync(target)) {
      throw new Conflict(`volume ${name} has a snapshot ${snapshot} already`, {
        subject: { kind: "snapshot", name: snapshot },
        remedy: "remove it first, or use another name",
      });
    }
    await mkdir(join(volume.directory, SNAPSHOTS), { recursive: true, mode: 0o700 });
    await publishDirectory(
      state,
      target,
      async (stage) => {
        await mkdir(join(stage, DATA), { mode: 0o755 });
        await copyTreeAway({ root: volume.mountpoint, path: "/", target: join(stage, DATA) });
        await writeFile(join(stage, SNAPSHOT_RECORD), JSON.stringify({ created: Date.now() }), { mode: 0o600 });
      },
      { deep: true },
    );
  });
}

/** @throws NotFound */
export async function removeSnapshot(state: VolumeState, name: string, snapshot: string): Promise<void> {
  const volume = volumeOf(state, name);
  await state.locks.run(`${name}/${snapshot}`, async () => {
    const directory = join(snapshotContent(volume, snapshot), "..");
    await state.trash.take(directory);
    await syncDirectory(join(volume.directory, SNAPSHOTS));
  });
}

/**
 * Makes a volume's content what it was at the time of a snapshot, which stays. All of it or, after a crash, nothing.
 *
 * @throws Conflict while something uses the volume, Unsupported when its content lies elsewhere, NotFound
 */
export async function restoreSnapshot(state: VolumeState, name: string, snapshot: string): Promise<void> {
  const restore = async (): Promise<void> => {
    const volume = volumeOf(state, name);
    const content = snapshotContent(volume, snapshot);
    refuseUsed(volume, "restored");
    if (volume.mount !== undefined) {
      throw new Unsupported(`volume ${name} cannot be restored: its content is on a device of its own`, {
        subject: { kind: "volume", name },
        remedy: "clone the snapshot to a new volume instead",
      });
    }
    await state.trash.take(join(volume.directory, NEXT));
    await publishDirectory(
      state,
      join(volume.directory, NEXT),
      async (stage) => {
        await copyTreeAway({ root: content, path: "/", target: stage });
      },
      { deep: true },
    );
    await rename(volume.mountpoint, join(volume.directory, LAST));
    await rename(join(volume.directory, NEXT), volume.mountpoint);
    await syncFilesystem(volume.directory);
    await state.trash.take(join(volume.directory, LAST));
  };
  await state.locks.run(name, () => state.locks.run(`${name}/${snapshot}`, restore));
}

/** Ends a restore that a crash has cut off: forwards once the old content was put away, else backwards. */
export async function settleRestore(state: VolumeState, { directory, mountpoint }: Volume): Promise<void> {
  const [next, last] = [join(directory, NEXT), join(directory, LAST)];
  if (existsSync(next) && !existsSync(mountpoint)) await rename(next, mountpoint);
  if (existsSync(last) && !existsSync(mountpoint)) await rename(last, mountpoint);
  await state.trash.take(next);
  await state.trash.take(last);
}
