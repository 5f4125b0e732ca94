import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import { systemCode } from "@boxship/base";

/** Bytes that a tree takes on the disk. What goes meanwhile does not count; links are not followed. */
export async function diskUsage(path: string): Promise<number> {
  let bytes = 0;
  const left = [path];
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    try {
      const status = await lstat(next);
      bytes += status.blocks * 512;
      if (status.isDirectory()) for (const name of await readdir(next)) left.push(join(next, name));
    } catch (error) {
      if (systemCode(error) !== "ENOENT" && systemCode(error) !== "ENOTDIR") throw error;
    }
  }
  return bytes;
}
