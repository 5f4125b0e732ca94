import { findLayerChanges } from "@boxship/oci";
import type { EngineContext } from "../context.ts";
import type { ContainersApi } from "../engine-api.ts";

/** Places that every container gets mounts on; the runtime makes those that the image lacks. */
const MOUNT_POINTS = ["/dev", "/dev/console", "/dev/mqueue", "/dev/pts", "/dev/shm", "/proc", "/sys"];
const MOUNTED_FILES = ["/etc/hostname", "/etc/hosts", "/etc/resolv.conf"];

type Changes = Awaited<ReturnType<ContainersApi["changes"]>>;

/** What a container has changed in the files of its image. */
export async function containerChanges(context: EngineContext, ref: string): Promise<Changes> {
  const { id, mounts } = context.containers.resolve(ref);
  const { snapshotter } = context;
  const changes = await findLayerChanges(snapshotter.upperDirectory(id), snapshotter.lowerDirectories(id));
  const ours = new Set([...MOUNT_POINTS, ...MOUNTED_FILES, ...mounts.map(({ destination }) => destination)]);
  return withoutMountPoints(changes, ours);
}

/** Leaves out what was made only to mount something on it, and directories that changed only because of that. */
export function withoutMountPoints(changes: Changes, mountPoints: ReadonlySet<string>): Changes {
  const dropped = new Set(
    changes.filter(({ kind, path }) => kind === "added" && mountPoints.has(path)).map(({ path }) => path),
  );
  // From the deepest up, so that a directory is looked at after all that is in it.
  for (const { kind, path } of [...changes].sort((a, b) => b.path.length - a.path.length)) {
    const inside = changes.filter((other) => other.path !== path && other.path.startsWith(`${path}/`));
    const isEmptied = inside.length > 0 && inside.every((other) => dropped.has(other.path));
    if (isEmptied && (kind === "modified" || holdsMountPoint(path, mountPoints))) dropped.add(path);
  }
  return changes.filter(({ path }) => !dropped.has(path));
}

function holdsMountPoint(path: string, mountPoints: ReadonlySet<string>): boolean {
  return [...mountPoints].some((mountPoint) => mountPoint.startsWith(`${path}/`));
}
