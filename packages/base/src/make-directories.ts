import { mkdir, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { FailedPrecondition, systemCode } from "./errors.ts";

/**
 * Makes a directory and its parents, at any path. Node's own `recursive` tries for ever where a parent exists and the
 * kernel answers ENOENT all the same, as it does below /proc.
 *
 * @returns whether anything was made
 * @throws FailedPrecondition where no directory can be made
 */
export async function makeDirectories(path: string, mode: number): Promise<boolean> {
  try {
    await mkdir(path, { mode });
    return true;
  } catch (cause) {
    const code = systemCode(cause);
    if (code === "EEXIST" && (await stat(path)).isDirectory()) return false;
    const parent = dirname(path);
    if (code !== "ENOENT" || parent === path) throw cause;
    if (!(await makeDirectories(parent, mode))) {
      throw new FailedPrecondition(`mkdir ${path}: no such file or directory`, {
        subject: { kind: "directory", name: path },
        cause,
        remedy: "name a path where directories can be made",
      });
    }
    return await makeDirectories(path, mode);
  }
}
