import { statfsSync } from "node:fs";
import { ResourceExhausted } from "@boxship/base";

/** Less than what a container's files may take. */
const LEAST_BYTES = 64 << 10;

/**
 * Passes on what `work` resolves to. What fails while the file system of the run-time state is full fails for that reason:
 * system calls and runtimes say it in words that name neither.
 *
 * @throws ResourceExhausted
 */
export async function namingFullDisk<Result>(directory: string, work: Promise<Result>): Promise<Result> {
  try {
    return await work;
  } catch (error) {
    if (!isFull(directory)) throw error;
    throw new ResourceExhausted(`no space left for ${directory}`, {
      cause: error,
      subject: { kind: "file", name: directory },
      remedy: "free space there: running containers keep their state in it",
    });
  }
}

function isFull(directory: string): boolean {
  const { bavail, bsize, files, ffree } = statfsSync(directory);
  return bavail * bsize < LEAST_BYTES || (files > 0 && ffree === 0);
}
