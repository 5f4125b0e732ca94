import { readdirSync } from "node:fs";
import { systemCode } from "@boxship/base/errors";
import {
  CurrentDirectory,
  descriptorPath,
  type Fd,
  FileType,
  OpenFlag,
  openat,
  type SystemPath,
  statx,
} from "@boxship/kernel";
import type { TreeUsage } from "../contract.ts";

const DIRECTORY = OpenFlag.ReadOnly | OpenFlag.Directory | OpenFlag.NoFollow;
const UNIT = 512;

/**
 * Disk space of what lies in a directory, as `du` counts; other file systems mounted there too. What vanishes meanwhile,
 * the directory itself too, takes no space. Blocks: for worker threads.
 */
export function treeUsage(directory: string): TreeUsage {
  const counter = { size: 0, inodes: 0, seen: new Set<bigint>() };
  unlessGone(() => {
    using root = openat(CurrentDirectory, directory, DIRECTORY);
    addDirectory(root, counter);
  });
  return { size: counter.size, inodes: counter.inodes };
}

function unlessGone(count: () => void): void {
  try {
    count();
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
  }
}

interface Counter {
  size: number;
  inodes: number;
  /** Files with several links that were counted. */
  readonly seen: Set<bigint>;
}

function addDirectory(directory: Fd, counter: Counter): void {
  for (const name of readdirSync(descriptorPath(directory), { encoding: "buffer" })) {
    unlessGone(() => addEntry(directory, name, counter));
  }
}

function addEntry(directory: Fd, name: SystemPath, counter: Counter): void {
  const status = statx(directory, name);
  const isDirectory = (status.mode & FileType.Mask) === FileType.Directory;
  if (!isDirectory && status.links > 1) {
    if (counter.seen.has(status.inode)) return;
    counter.seen.add(status.inode);
  }
  counter.size += status.blocks * UNIT;
  counter.inodes++;
  if (!isDirectory) return;
  using inner = openat(directory, name, DIRECTORY);
  addDirectory(inner, counter);
}
