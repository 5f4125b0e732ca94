import { syscallInBackground } from "./background-syscall.ts";
import { cString } from "./ffi.ts";

/** How much there is of a file system: in its blocks, and in files. */
export interface FilesystemSpace {
  readonly blockBytes: number;
  readonly blocks: number;
  /** What is free for everybody, without what is kept for root. */
  readonly available: number;
  readonly files: number;
  readonly filesFree: number;
}

/** Of `struct statfs` where a long has 64 bits. */
const SIZE = 120;

/**
 * `statfs(2)` on a thread of its own, for paths of users, where a file system may lie whose server does not answer. Main
 * thread only.
 */
export async function statfsInBackground(path: string): Promise<FilesystemSpace> {
  const buffer = Buffer.alloc(SIZE);
  await syscallInBackground("statfs", [cString(path), buffer], path);
  const at = (index: number) => Number(buffer.readBigUInt64LE(8 * index));
  return { blockBytes: at(1), blocks: at(2), available: at(4), files: at(5), filesFree: at(6) };
}
