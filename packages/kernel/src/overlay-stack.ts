import { systemCode } from "@boxship/base/errors";
import { FileType, mknodat } from "./directory-entry.ts";
import type { Descriptor, Fd } from "./fd.ts";
import { capabilitySets } from "./host.ts";
import { type FileStatus, fchmod, statx, utimensat } from "./inode.ts";
import { OpenFlag, openat, type SystemPath } from "./open.ts";
import { inUserNamespace } from "./user-namespace.ts";
import { fgetxattr } from "./xattr.ts";

/** Directories that lie one on the other as overlayfs sees them, whether one is mounted or not. */

const DIRECTORY = OpenFlag.ReadOnly | OpenFlag.Directory | OpenFlag.NoFollow;

/**
 * When a pipe that nobody may open was changed, if it is a whiteout: nanoseconds since the epoch. Inside of an overlay the
 * kernel lets nobody make a device 0:0, which is what it takes for one.
 */
const WHITEOUT_TIME = 7_006_451_064n;

/**
 * The namespace of the attributes by which overlays are marked here. Where `trusted.` ones cannot be written (in a user
 * namespace overlays are mounted with `userxattr`; without CAP_SYS_ADMIN they cannot be mounted at all) it is `user.`.
 */
export function overlayXattrSpace(): "trusted" | "user" {
  return inUserNamespace() || !capabilitySets().effective.has("CAP_SYS_ADMIN") ? "user" : "trusted";
}

/** Whether a status is that of a whiteout: a character device 0:0, or its substitute where there can be none. */
export function isWhiteout({ mode, rdev, mtime }: FileStatus): boolean {
  const type = mode & FileType.Mask;
  if (type === FileType.Character) return rdev.major === 0 && rdev.minor === 0;
  return type === FileType.Fifo && (mode & 0o7777) === 0 && mtime === WHITEOUT_TIME;
}

/** Makes a whiteout. @throws EEXIST */
export function makeWhiteout(directory: Descriptor, name: SystemPath): void {
  try {
    mknodat(directory, name, FileType.Character, 0n);
  } catch (error) {
    if (systemCode(error) !== "EPERM") throw error;
    mknodat(directory, name, FileType.Fifo, 0n);
    using made = openat(directory, name, OpenFlag.Path | OpenFlag.NoFollow);
    fchmod(made, 0);
    utimensat(directory, name, { mtime: WHITEOUT_TIME });
  }
}

const OPAQUE_MARKS = ["trusted.overlay.opaque", "user.overlay.opaque", "user.fuseoverlayfs.opaque"];

/** Whether a directory hides what lies below it. */
export function isOpaque(directory: Fd): boolean {
  return OPAQUE_MARKS.some((mark) => fgetxattr(directory, mark)?.toString() === "y");
}

/** Files by which fuse-overlayfs marks an opaque directory in addition, and which it does not show. */
export const FUSE_OPAQUE_FILES: ReadonlySet<string> = new Set([".wh..wh..opq", ".wh..opq"]);

/** Where a name is found. */
export interface Found {
  readonly directory: Fd;
  readonly status: FileStatus;
}

/** What a stack of directories shows under a name, or undefined. @param stack topmost first */
export function lookUp(stack: readonly Fd[], name: SystemPath): Found | undefined {
  for (const directory of stack) {
    try {
      const status = statx(directory, name);
      return isWhiteout(status) ? undefined : { directory, status };
    } catch (error) {
      if (systemCode(error) !== "ENOENT") throw error;
    }
  }
  return undefined;
}

/** The directories of a name in a stack, down to the first that hides the rest. @param open owns them */
export function enterStack(stack: readonly Fd[], name: SystemPath, open: DisposableStack): Fd[] {
  const found: Fd[] = [];
  for (const layer of stack) {
    try {
      const directory = open.use(openat(layer, name, DIRECTORY));
      found.push(directory);
      if (isOpaque(directory)) break;
    } catch (error) {
      const code = systemCode(error);
      if (code === "ENOTDIR" || code === "ELOOP" || code === "ENXIO") break;
      if (code !== "ENOENT") throw error;
    }
  }
  return found;
}
