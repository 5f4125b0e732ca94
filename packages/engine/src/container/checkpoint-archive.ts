import { randomBytes } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, open, readdir, rename, rm, stat, unlink, writeFile } from "node:fs/promises";
import { dirname, isAbsolute, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { InvalidArgument, syncDirectory, systemCode } from "@boxship/base";
import { AtFlag, CurrentDirectory, linkat, OpenFlag } from "@boxship/kernel";
import { diffLayer, packDirectory } from "@boxship/oci";
import { type EngineContext, eventAttributes } from "../context.ts";
import type { CheckpointArchive } from "../engine-api.ts";
import { mountPointChanges } from "./container-changes.ts";
import { refuseCheckpoint } from "./container-checkpoint.ts";
import type { ContainerRecord } from "./record.ts";

/** Where archives are put together; whatever is in it when the engine opens was cut off. */
const placeOfAll = (context: EngineContext, id: string): string =>
  join(context.containers.directoryOf(id), "checkpoint-archives");

/**
 * Writes a running container's state and files to a tar archive (mode 0600), whole or not at all, in the place of what was there.
 * The container stands still meanwhile, so that its memory and its files are of one moment, and goes on then.
 */
export async function archiveCheckpoint(
  context: EngineContext,
  ref: string,
  request: CheckpointArchive,
): Promise<void> {
  const { id } = context.containers.resolve(ref);
  const { location, signal } = request;
  if (!isAbsolute(location) || location.includes("\0")) {
    throw new InvalidArgument(`the checkpoint's location ${JSON.stringify(location)} is not an absolute path`);
  }
  await using archive = await unnamedFile(location);
  const work = join(placeOfAll(context, id), randomBytes(4).toString("hex"));
  try {
    await context.locks.run(id, () => collect(context, id, work, request));
    signal?.throwIfAborted();
    const written = createWriteStream("", { fd: archive.fd, autoClose: false });
    await pipeline(packDirectory(work), written, signal === undefined ? {} : { signal });
    await archive.sync();
    await nameFile(archive.fd, location);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  const record = context.containers.get(id);
  if (record !== undefined) context.events.publish("container", "checkpoint", id, eventAttributes(record));
}

async function unnamedFile(location: string) {
  const there = await stat(location).catch(() => undefined);
  if (there?.isDirectory() === true) throw notWritable(location, "it is a directory");
  try {
    return await open(dirname(location), OpenFlag.TemporaryFile | OpenFlag.ReadWrite, 0o600);
  } catch (error) {
    const code = systemCode(error) ?? "";
    throw notWritable(location, REASONS[code] ?? code, error);
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "its directory does not exist",
  ENOTDIR: "what it is to lie in is no directory",
  EROFS: "its file system is read-only",
  EACCES: "permission denied",
  EOPNOTSUPP: "its file system has no unnamed files",
};

function notWritable(location: string, why: string, cause?: unknown): InvalidArgument {
  return new InvalidArgument(`the checkpoint cannot be written to ${location}: ${why}`, {
    cause,
    remedy: "name a file in a directory of a local file system that exists",
  });
}

/** Gives an unnamed file its name. What has that already is replaced at once. */
async function nameFile(fd: number, location: string): Promise<void> {
  const own = `/proc/self/fd/${fd}`;
  const link = (path: string) => linkat(CurrentDirectory, own, CurrentDirectory, path, AtFlag.SymlinkFollow);
  try {
    link(location);
  } catch (error) {
    if (systemCode(error) !== "EEXIST") throw error;
    const temporary = `${location}.${randomBytes(4).toString("hex")}.tmp`;
    link(temporary);
    await rename(temporary, location).catch(async (failed: unknown) => {
      await unlink(temporary).catch(() => {});
      throw failed;
    });
  }
  await syncDirectory(dirname(location));
}

/** All that the archive is to hold, in a directory, of one moment. */
async function collect(context: EngineContext, id: string, work: string, request: CheckpointArchive): Promise<void> {
  const { signal, logPath, files } = request;
  signal?.throwIfAborted();
  const record = context.containers.resolve(id);
  refuseCheckpoint(context, record);
  const { runtime } = context;
  const images = join(work, "checkpoint");
  await mkdir(images, { recursive: true, mode: 0o700 });
  const spec = await runtime.specification(id);
  // Not told to anybody: for the world it runs on. Where this is cut off, the directory tells that it is to go on.
  await runtime.pause(id);
  try {
    await runtime.checkpoint(id, { directory: images, exit: false });
    signal?.throwIfAborted();
    await writeDiff(context, record, join(work, "rootfs-diff.tar"));
    if (logPath !== undefined) await copyIfThere(logPath, join(work, "container.log"));
  } finally {
    await goOn(context, id);
  }
  for (const name of ["dump.log", "stats-dump"]) await moveIfThere(join(images, "work", name), join(work, name));
  await moveIfThere(join(images, "stats-dump"), join(work, "stats-dump"));
  await rm(join(images, "work"), { recursive: true, force: true });
  for (const [name, text] of Object.entries(files(spec))) await writeFile(join(work, name), text, { mode: 0o600 });
}

/** It may have been killed meanwhile. */
async function goOn(context: EngineContext, id: string): Promise<void> {
  try {
    await context.runtime.resume(id);
  } catch (error) {
    const { status } = await context.runtime.state(id);
    if (status === "paused" || status === "running") throw error;
  }
}

async function writeDiff(context: EngineContext, record: ContainerRecord, path: string): Promise<void> {
  const mounts = await mountPointChanges(context, record);
  const exclude = new Set([...mounts].map((one) => one.slice(1)));
  const diff = diffLayer(context.snapshotter.upperDirectory(record.id), { exclude });
  await pipeline(diff, createWriteStream(path, { mode: 0o600 }));
}

async function copyIfThere(from: string, to: string): Promise<void> {
  try {
    await pipeline(createReadStream(from), createWriteStream(to, { mode: 0o600 }));
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
  }
}

async function moveIfThere(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
  }
}

/** Takes away what was cut off. @returns whether there was something: then the container may have been left frozen */
export async function dropCutArchives(context: EngineContext, id: string): Promise<boolean> {
  const place = placeOfAll(context, id);
  const left = await readdir(place).catch((error: unknown) => {
    if (systemCode(error) === "ENOENT") return [];
    throw error;
  });
  await rm(place, { recursive: true, force: true });
  return left.length > 0;
}
