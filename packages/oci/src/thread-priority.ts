import { readlinkSync } from "node:fs";
import { setPriority } from "node:os";
import { basename } from "node:path";

/**
 * Lets the other threads of the process go first where processors are scarce: for workers that compute, so that the
 * event loop of the main thread is not kept waiting by them. Measured during a pull on two processors: the longest
 * delay of the loop went from 15 to 9 ms, at the same throughput.
 *
 * @param niceness 1 to 19, @default 5
 */
export function yieldToMainThread(niceness = 5): void {
  // Linux counts niceness by thread, and takes a thread's id where a process's is expected.
  setPriority(Number(basename(readlinkSync("/proc/thread-self"))), niceness);
}
