import { existsSync } from "node:fs";
import { dirname } from "node:path";
import {
  BoxshipError,
  errorMessage,
  Internal,
  PermissionDenied,
  ResourceExhausted,
  systemCode,
} from "@boxship/base/errors";
import { filesystemOf } from "@boxship/kernel";

/** A failure of a file operation as one of the closed set; a full disk is named. */
export function explainDiskError(error: unknown, directory: string): BoxshipError {
  if (error instanceof BoxshipError) return error;
  const code = systemCode(error);
  if (code === "ENOSPC" || code === "EDQUOT") {
    const where = filesystemOf(nearest(directory));
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

/** What could not be made is not there; its parent is on the same file system. */
function nearest(path: string): string {
  return existsSync(path) || path === dirname(path) ? path : nearest(dirname(path));
}
