import { readdirSync } from "node:fs";
import { systemCode } from "@boxship/base/errors";
import {
  AtFlag,
  CurrentDirectory,
  descriptorPath,
  type Fd,
  OpenFlag,
  openat,
  renameat2,
  type SystemPath,
  unlinkat,
} from "@boxship/kernel";

/** Deeper directories are moved up first: each level holds a descriptor, and paths have a limit. */
const DEEPEST = 64;
const DIRECTORY = OpenFlag.ReadOnly | OpenFlag.Directory | OpenFlag.NoFollow;

/**
 * Removes what is in a directory, however large and deep; no symbolic link is followed. Blocks: for worker threads.
 *
 * @param directory itself stays
 */
export function emptyDirectory(directory: string): void {
  using root = openat(CurrentDirectory, directory, DIRECTORY);
  let deep = 0;
  for (;;) {
    const names = readdirSync(descriptorPath(root), { encoding: "buffer" });
    if (names.length === 0) return;
    const moveUp = (from: Fd, name: SystemPath) => renameat2(from, name, root, `deep-${process.pid}-${deep++}`);
    for (const name of names) remove(root, name, 0, moveUp);
  }
}

function remove(parent: Fd, name: SystemPath, depth: number, moveUp: (from: Fd, name: SystemPath) => void): void {
  try {
    unlinkat(parent, name);
    return;
  } catch (error) {
    const code = systemCode(error);
    if (code === "ENOENT") return;
    // Linux answers EISDIR for a directory; POSIX and some file systems EPERM.
    if (code !== "EISDIR" && code !== "EPERM") throw error;
  }
  if (depth === DEEPEST) {
    moveUp(parent, name);
    return;
  }
  {
    using directory = openat(parent, name, DIRECTORY);
    for (const child of readdirSync(descriptorPath(directory), { encoding: "buffer" })) {
      remove(directory, child, depth + 1, moveUp);
    }
  }
  unlinkat(parent, name, AtFlag.RemoveDirectory);
}
