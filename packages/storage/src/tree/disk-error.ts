import { dirname } from "node:path";
import {
  BoxshipError,
  errorMessage,
  Internal,
  PermissionDenied,
  ResourceExhausted,
  systemCode,
} from "@boxship/base/errors";
import { CurrentDirectory, readMountinfo, statx } from "@boxship/kernel";

/** A failure of a file operation as one of the closed set; a full disk is named. */
export function explainDiskError(error: unknown, directory: string): BoxshipError {
  if (error instanceof BoxshipError) return error;
  const code = systemCode(error);
  if (code === "ENOSPC" || code === "EDQUOT") {
    const where = filesystemOf(directory);
    const what = code === "EDQUOT" ? "the disk quota is used up" : "no space left";
    return new ResourceExhausted(`${what} on ${where}`, {
      cause: error,
      subject: { kind: "filesystem", name: where },
      remedy: "free space there, or use another state directory with --root",
    });
  }
  if (code === "EACCES" || code === "EPERM") {
    return new PermissionDenied(`not permitted in ${directory}: ${errorMessage(error)}`, { cause: error });
  }
  return new Internal(`${directory}: ${errorMessage(error)}`, { cause: error });
}

/** The file system of a directory, for people: `/var (ext4 on /dev/sda2)`. */
function filesystemOf(directory: string): string {
  for (let path = directory; ; path = dirname(path)) {
    try {
      const { major, minor } = statx(CurrentDirectory, path).dev;
      const mount = readMountinfo().findLast((entry) => entry.major === major && entry.minor === minor);
      return mount === undefined ? directory : `${mount.mountPoint} (${mount.type} on ${mount.source})`;
    } catch (error) {
      // What could not be made is not there; its parent is on the same file system.
      if (systemCode(error) !== "ENOENT" || path === dirname(path)) return directory;
    }
  }
}
