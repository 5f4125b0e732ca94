import { opendirSync } from "node:fs";
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
/** How many names of a directory are held at once, each in some hundred bytes. */
const MOST_NAMES = 8192;
const DIRECTORY = OpenFlag.ReadOnly | OpenFlag.Directory | OpenFlag.NoFollow;

export interface RemovalOptions {
  /** Where in each directory to begin, from 0 to 1, so that several threads take different parts. @default 0 */
  readonly from?: number;
  /** Called before each name; what it throws ends the removal. @default nothing */
  readonly onEntry?: () => void;
}

interface Removal extends Required<RemovalOptions> {
  readonly moveUp: (parent: Fd, name: SystemPath) => void;
}

/**
 * Removes what is in a directory, however large and deep; no symbolic link is followed. Several threads may remove the
 * same tree. Blocks: for worker threads.
 *
 * @param directory itself stays
 */
export function emptyDirectory(directory: string, options: RemovalOptions = {}): void {
  const { from = 0, onEntry = () => {} } = options;
  using root = openat(CurrentDirectory, directory, DIRECTORY);
  let deep = 0;
  const moveUp = (parent: Fd, name: SystemPath) =>
    renameat2(parent, name, root, `deep-${process.pid}-${from}-${deep++}`);
  empty(root, 0, { from, onEntry, moveUp });
}

function empty(directory: Fd, depth: number, removal: Removal): void {
  for (;;) {
    const names = someNames(directory);
    if (names.length === 0) return;
    const first = Math.floor(names.length * removal.from);
    for (const name of names.slice(first)) remove(directory, name, depth, removal);
    for (const name of names.slice(0, first)) remove(directory, name, depth, removal);
  }
}

/** Not all: a directory may have millions. */
function someNames(directory: Fd): Buffer[] {
  // Its type does not know that names are buffers then.
  const entries = opendirSync(descriptorPath(directory), { encoding: "buffer" as BufferEncoding, bufferSize: 512 });
  try {
    const names: Buffer[] = [];
    while (names.length < MOST_NAMES) {
      const entry = entries.readSync();
      if (entry === null) break;
      names.push(entry.name as unknown as Buffer);
    }
    return names;
  } finally {
    entries.closeSync();
  }
}

function remove(parent: Fd, name: SystemPath, depth: number, removal: Removal): void {
  removal.onEntry();
  if (unlinked(parent, name)) return;
  try {
    if (depth === DEEPEST) {
      removal.moveUp(parent, name);
      return;
    }
    {
      using directory = openat(parent, name, DIRECTORY);
      empty(directory, depth + 1, removal);
    }
    unlinkat(parent, name, AtFlag.RemoveDirectory);
  } catch (error) {
    // Somebody else was faster.
    if (systemCode(error) !== "ENOENT") throw error;
  }
}

/** @returns false for a directory */
function unlinked(parent: Fd, name: SystemPath): boolean {
  try {
    unlinkat(parent, name);
    return true;
  } catch (error) {
    const code = systemCode(error);
    if (code === "ENOENT") return true;
    // Linux answers EISDIR for a directory; POSIX and some file systems EPERM.
    if (code !== "EISDIR" && code !== "EPERM") throw error;
    return false;
  }
}
