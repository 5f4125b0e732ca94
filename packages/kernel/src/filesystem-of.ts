import { statx } from "./inode.ts";
import { type MountEntry, readMountinfo } from "./mountinfo.ts";
import { CurrentDirectory } from "./open.ts";

/**
 * The file system of a directory, for people: `/var (ext4 on /dev/sda2)`. Where it is mounted several times, the
 * outermost place that the directory lies in; without any, the directory itself.
 */
export function filesystemOf(directory: string): string {
  try {
    const { major, minor } = statx(CurrentDirectory, directory).dev;
    const mounts = readMountinfo().filter((mount) => mount.major === major && mount.minor === minor);
    const holding = mounts.filter(({ mountPoint }) => `${directory}/`.startsWith(mountPoint.replace(/\/?$/, "/")));
    const shortest = (best: MountEntry, mount: MountEntry): MountEntry =>
      mount.mountPoint.length < best.mountPoint.length ? mount : best;
    const [first = mounts.at(-1), ...rest] = holding;
    if (first === undefined) return directory;
    const { mountPoint, type, source } = rest.reduce(shortest, first);
    return `${mountPoint} (${type} on ${source})`;
  } catch {
    // The plain path says enough.
    return directory;
  }
}
