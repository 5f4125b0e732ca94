import { posix } from "node:path";
import { findLayerChanges } from "@boxship/oci";
import type { EngineContext } from "../context.ts";
import type { ContainersApi } from "../engine-api.ts";
import type { ContainerRecord } from "./record.ts";

/** Places that every container gets mounts on; the runtime makes those that the image lacks. */
const MOUNT_POINTS = ["/dev", "/dev/console", "/dev/mqueue", "/dev/pts", "/dev/shm", "/proc", "/sys"];
/** What tells programs that they run in a container. */
export const CONTAINER_MARK = "/.dockerenv";
const MOUNTED_FILES = [CONTAINER_MARK, "/etc/hostname", "/etc/hosts", "/etc/resolv.conf", "/sbin/docker-init"];

type Changes = Awaited<ReturnType<ContainersApi["changes"]>>;

/** What a container has changed in the files of its image. */
export async function containerChanges(context: EngineContext, ref: string): Promise<Changes> {
  const record = context.containers.resolve(ref);
  const changes = await layerChanges(context, record);
  return withoutMountPoints(changes, mountPointsOf(record));
}

/** Paths in a container's writable layer, with a leading slash, that are there only because something is mounted on them. */
export async function mountPointChanges(context: EngineContext, record: ContainerRecord): Promise<ReadonlySet<string>> {
  return onlyForMounts(await layerChanges(context, record), mountPointsOf(record));
}

function layerChanges({ snapshotter }: EngineContext, { id }: ContainerRecord): Promise<Changes> {
  return findLayerChanges(snapshotter.upperDirectory(id), snapshotter.lowerDirectories(id));
}

function mountPointsOf({ mounts, hostConfig }: ContainerRecord): ReadonlySet<string> {
  const own = mounts.map(({ destination }) => destination);
  const tmpfs = Object.keys(hostConfig.tmpfs ?? {}).map((path) => posix.resolve("/", path));
  return new Set([...MOUNT_POINTS, ...MOUNTED_FILES, ...own, ...tmpfs]);
}

/** Leaves out what was made only to mount something on it, and directories that changed only because of that. */
export function withoutMountPoints(changes: Changes, mountPoints: ReadonlySet<string>): Changes {
  const dropped = onlyForMounts(changes, mountPoints);
  return changes.filter(({ path }) => !dropped.has(path));
}

function onlyForMounts(changes: Changes, mountPoints: ReadonlySet<string>): ReadonlySet<string> {
  const added = changes.filter(({ kind, path }) => kind === "added" && mountPoints.has(path)).map(({ path }) => path);
  const dropped = new Set(added);
  const listed = new Set(changes.map(({ path }) => path));
  const above = new Set(added.flatMap(directoriesAbove).filter((path) => listed.has(path) && !dropped.has(path)));
  const holding = new Set<string>();
  const keep = (path: string) => {
    for (const directory of directoriesAbove(path)) if (above.has(directory)) holding.add(directory);
  };
  for (const { path } of changes) if (!dropped.has(path) && !above.has(path)) keep(path);
  // From the deepest up, so that a directory is looked at after all that is in it.
  for (const path of [...above].sort((a, b) => b.length - a.length)) {
    if (holding.has(path)) keep(path);
    else dropped.add(path);
  }
  return dropped;
}

/** `/a/b/c` to `/a` and `/a/b`. */
function directoriesAbove(path: string): readonly string[] {
  const found: string[] = [];
  for (let at = path.indexOf("/", 1); at !== -1; at = path.indexOf("/", at + 1)) found.push(path.slice(0, at));
  return found;
}
