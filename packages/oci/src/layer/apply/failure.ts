import { statfsSync } from "node:fs";
import {
  BoxshipError,
  FailedPrecondition,
  Internal,
  InvalidArgument,
  PermissionDenied,
  ResourceExhausted,
  systemCode,
} from "@boxship/base/errors";
import { filesystemOf } from "@boxship/kernel";

/**
 * A failure while an entry is written, as one of the closed set, naming the entry.
 *
 * @param what e.g. `tar entry "etc/passwd"`
 * @param directory the tree that is written to
 */
export function explainFailure(error: unknown, what: string, directory: string): BoxshipError {
  if (error instanceof InvalidArgument) return new InvalidArgument(`${what}: ${error.message}`, { cause: error });
  if (error instanceof FailedPrecondition) {
    const { remedy } = error;
    return new FailedPrecondition(`${what}: ${error.message}`, { cause: error, ...(remedy && { remedy }) });
  }
  if (error instanceof BoxshipError) return error;
  switch (systemCode(error)) {
    case "ENOSPC":
    case "EDQUOT":
      return exhausted(error, what, directory);
    case "ENAMETOOLONG":
      return new InvalidArgument(`${what}: a name is too long`, { cause: error });
    case "ELOOP":
      return new InvalidArgument(`${what}: too many symbolic links`, { cause: error });
    case "EFBIG":
      return new ResourceExhausted(`${what}: the file is too large for ${filesystemOf(directory)}`, { cause: error });
    case "EPERM":
    case "EACCES":
      return new PermissionDenied(`${what}: not permitted in ${directory}`, {
        cause: error,
        remedy: "run as root; device nodes and owners need CAP_MKNOD and CAP_CHOWN",
      });
    case "EROFS":
      return new PermissionDenied(`${what}: the file system is read-only`, { cause: error });
    default:
      return new Internal(`${what}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

function exhausted(error: unknown, what: string, directory: string): ResourceExhausted {
  const where = filesystemOf(directory);
  const inodes = noInodesLeft(directory);
  const missing =
    systemCode(error) === "EDQUOT" ? "the disk quota is used up" : inodes ? "no inodes left" : "no space left";
  return new ResourceExhausted(`${what}: ${missing} on ${where}`, {
    cause: error,
    subject: { kind: "filesystem", name: where },
    remedy: "free space there, or use another state directory with --root",
  });
}

function noInodesLeft(directory: string): boolean {
  try {
    const { files, ffree } = statfsSync(directory);
    return files > 0 && ffree === 0;
  } catch {
    return false;
  }
}
