import { readdirSync } from "node:fs";
import {
  CurrentDirectory,
  descriptorPath,
  type Fd,
  FileType,
  fstat,
  futimens,
  OpenFlag,
  openat,
  statx,
  utimensat,
} from "@boxship/kernel";

const DIRECTORY = OpenFlag.ReadOnly | OpenFlag.Directory | OpenFlag.NoFollow;

/** Sets all modification times in a tree that are later than `latest` (seconds since the epoch) to it. Blocks. */
export function clampTimes(path: string, latest: number): void {
  using root = openat(CurrentDirectory, path, DIRECTORY);
  clampDirectory(root, BigInt(latest) * 1_000_000_000n);
}

function clampDirectory(directory: Fd, latest: bigint): void {
  for (const name of readdirSync(descriptorPath(directory), { encoding: "buffer" })) {
    const status = statx(directory, name);
    if ((status.mode & FileType.Mask) === FileType.Directory) {
      using inner = openat(directory, name, DIRECTORY);
      clampDirectory(inner, latest);
    } else if (status.mtime > latest) utimensat(directory, name, { mtime: latest });
  }
  if (fstat(directory).mtime > latest) futimens(directory, { mtime: latest });
}
