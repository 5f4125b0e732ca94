import { accessSync, constants, statSync } from "node:fs";
import { join } from "node:path";

/** Where a distribution has its programs; ordinary users and services often lack some of these. */
export const SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Whether a path is a file that this process may execute. */
export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/**
 * A program's path: from `path` first, then from the usual directories. Relative directories of `path` are passed over.
 *
 * @param path directories between colons @default the environment's PATH
 */
export function findProgram(name: string, path: string = process.env["PATH"] ?? ""): string | undefined {
  return `${path}:${SYSTEM_PATH}`
    .split(":")
    .filter((directory) => directory.startsWith("/"))
    .map((directory) => join(directory, name))
    .find(isExecutable);
}
