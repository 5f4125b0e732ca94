import { chmodSync, mkdirSync, rmSync, symlinkSync } from "node:fs";
import { basename, dirname, join, posix } from "node:path";
import { systemCode } from "@boxship/base/errors";
import {
  CurrentDirectory,
  descriptorPath,
  type Fd,
  FileType,
  fstat,
  futimens,
  makeDevice,
  mknodat,
  OpenFlag,
  openat,
  renameat2,
  statx,
} from "@boxship/kernel";
import { copyNode } from "@boxship/storage/copy-node";
import { copyTree } from "@boxship/storage/copy-tree";
import { makeDirectories } from "../files/directories.ts";
import { openTree } from "../files/selection.ts";

/** Something that takes the place of a mount, for the time of one command. */
export type PlacedMount =
  /** A copy of a file or directory; what is done to it is lost. */
  | { readonly kind: "copy"; readonly source: string; readonly target: string }
  /** The directory itself, which goes back afterwards. On the root's file system. */
  | { readonly kind: "move"; readonly source: string; readonly target: string }
  | { readonly kind: "directory"; readonly target: string; readonly mode: number }
  /** The devices that every container has. */
  | { readonly kind: "devices"; readonly target: string };

/** What has been put in its place, and what is known of the directory it is in. */
export interface Placement {
  readonly mount: PlacedMount;
  /** Something was there, and lies in the directory for such things meanwhile. */
  readonly aside: boolean;
  /** When the directory above was changed last: before, and by placing. Nanoseconds since the epoch. */
  readonly before: bigint;
  readonly after: bigint;
}

const DIRECTORY = OpenFlag.ReadOnly | OpenFlag.Directory;

/**
 * Puts things where they would be mounted. What is there goes aside. Blocks: for worker threads.
 *
 * @param asideDirectory an empty directory on the root's file system
 */
export function placeMounts(
  rootPath: string,
  asideDirectory: string,
  mounts: readonly PlacedMount[],
): readonly Placement[] {
  using root = openTree(rootPath);
  using aside = openat(CurrentDirectory, asideDirectory, DIRECTORY);
  const placed: Placement[] = [];
  try {
    for (const [index, mount] of mounts.entries()) placed.push(placeOne(root, aside, mount, index));
    return placed;
  } catch (error) {
    takeBack(rootPath, asideDirectory, placed);
    throw error;
  }
}

function placeOne(root: Fd, aside: Fd, mount: PlacedMount, index: number): Placement {
  using above = makeDirectories(root, posix.dirname(mount.target));
  const name = posix.basename(mount.target);
  const before = fstat(above).mtime;
  const wasThere = isThere(above, name);
  if (wasThere) renameat2(above, name, aside, String(index));
  try {
    put(mount, join(descriptorPath(above), name));
  } catch (error) {
    rmSync(join(descriptorPath(above), name), { recursive: true, force: true });
    if (wasThere) renameat2(aside, String(index), above, name);
    throw error;
  }
  return { mount, aside: wasThere, before, after: fstat(above).mtime };
}

function isThere(directory: Fd, name: string): boolean {
  try {
    statx(directory, name);
    return true;
  } catch (error) {
    if (systemCode(error) === "ENOENT") return false;
    throw error;
  }
}

function put(mount: PlacedMount, path: string): void {
  switch (mount.kind) {
    case "copy":
      copy(mount.source, path);
      return;
    case "move":
      move(mount.source, path);
      return;
    case "directory":
      mkdirSync(path);
      chmodSync(path, mount.mode);
      return;
    case "devices":
      makeDevices(path);
  }
}

function copy(source: string, path: string): void {
  using from = openat(CurrentDirectory, dirname(source), DIRECTORY);
  using to = openat(CurrentDirectory, dirname(path), DIRECTORY);
  const name = basename(source);
  const status = statx(from, name);
  if ((status.mode & FileType.Mask) !== FileType.Directory) {
    copyNode({ directory: from, name, status }, { directory: to, name: basename(path) }, new Map());
    return;
  }
  mkdirSync(path);
  copyTree({ root: source, path: "/", target: path });
}

function move(source: string, path: string): void {
  using from = openat(CurrentDirectory, dirname(source), DIRECTORY);
  using to = openat(CurrentDirectory, dirname(path), DIRECTORY);
  renameat2(from, basename(source), to, basename(path));
}

const DEVICES: readonly (readonly [name: string, major: number, minor: number])[] = [
  ["null", 1, 3],
  ["zero", 1, 5],
  ["full", 1, 7],
  ["random", 1, 8],
  ["urandom", 1, 9],
  ["tty", 5, 0],
];

function makeDevices(path: string): void {
  mkdirSync(path);
  chmodSync(path, 0o755);
  using directory = openat(CurrentDirectory, path, DIRECTORY);
  for (const [name, major, minor] of DEVICES) {
    mknodat(directory, name, FileType.Character, makeDevice(major, minor));
    chmodSync(join(path, name), 0o666);
  }
  symlinkSync("/proc/self/fd", join(path, "fd"));
  for (const [index, name] of ["stdin", "stdout", "stderr"].entries()) {
    symlinkSync(`/proc/self/fd/${index}`, join(path, name));
  }
  mkdirSync(join(path, "shm"));
  chmodSync(join(path, "shm"), 0o1777);
}

/** Takes away what was placed, puts back what was there, and sets times above back that nothing else has changed. */
export function takeBack(rootPath: string, asideDirectory: string, placed: readonly Placement[]): void {
  using root = openTree(rootPath);
  using aside = openat(CurrentDirectory, asideDirectory, DIRECTORY);
  for (const [index, placement] of [...placed.entries()].reverse()) takeOne(root, aside, placement, index);
}

function takeOne(root: Fd, aside: Fd, { mount, aside: wasThere, before, after }: Placement, index: number): void {
  using above = makeDirectories(root, posix.dirname(mount.target));
  const name = posix.basename(mount.target);
  const changed = fstat(above).mtime;
  const path = join(descriptorPath(above), name);
  if (mount.kind === "move" && isThere(above, name)) move(path, mount.source);
  rmSync(path, { recursive: true, force: true });
  if (wasThere) renameat2(aside, String(index), above, name);
  futimens(above, { mtime: changed === after ? before : changed });
}
