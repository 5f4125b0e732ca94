import { errorMessage, systemCode } from "@boxship/base/errors";

const TEXTS: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EEXIST: "file exists",
  EISDIR: "is a directory",
  ELOOP: "too many levels of symbolic links",
  ENOENT: "no such file or directory",
  ENOSPC: "no space left on device",
  ENOTDIR: "not a directory",
  EPERM: "operation not permitted",
  EROFS: "read-only file system",
};

/** A failed file operation in the words of the C library: `open /x: no such file or directory`. */
export function describeFileError(operation: string, path: string, error: unknown): string {
  const text = TEXTS[systemCode(error) ?? ""];
  return text === undefined ? errorMessage(error) : `${operation} ${path}: ${text}`;
}
