import { readFile } from "node:fs/promises";
import { libc } from "./ffi.ts";

/**
 * Giving memory back to the kernel, for a process that has work now and then and is looked at in between.
 */

const mallocTrim = libc.bind<number>("malloc_trim", ["i32", "u64"]);
const madvise = libc.bind<number>("madvise", ["i32", "u64", "u64", "i32"]);

const mallopt = libc.bind<number>("mallopt", ["i32", "i32", "i32"]);

const MADV_DONTNEED = 4;
/** Options of mallopt(3). */
const M_TRIM_THRESHOLD = -1;
const M_ARENA_MAX = -8;

/** Returns the C library's free memory; see malloc_trim(3). */
export function trimAllocator(): void {
  mallocTrim(0n);
}

/**
 * Lets the C library keep no more than a megabyte of free memory, and no heap for each thread: for a server whose buffers
 * come and go. To be called before its threads are started.
 */
export function keepAllocatorSmall(): void {
  mallopt(M_ARENA_MAX, 1);
  mallopt(M_TRIM_THRESHOLD, 1 << 20);
}

/** A part of the address space, from `start` up to `end`. */
export interface AddressRange {
  readonly start: bigint;
  readonly end: bigint;
}

/**
 * The ranges of a `/proc/PID/smaps` text that are private and read-only views of files and hold no page of the process's
 * own: what is in them is exactly what is in the file.
 */
export function cleanFileRanges(smaps: string): readonly AddressRange[] {
  const ranges: AddressRange[] = [];
  let candidate: AddressRange | undefined;
  for (const line of smaps.split("\n")) {
    const head = /^([0-9a-f]+)-([0-9a-f]+) (\S{4}) \S+ \S+ \d+\s*(.*)$/.exec(line);
    if (head !== null) {
      const [, start = "", end = "", permissions = "", file = ""] = head;
      const readOnly = permissions[1] === "-" && permissions[3] === "p";
      candidate =
        readOnly && file.startsWith("/") ? { start: BigInt(`0x${start}`), end: BigInt(`0x${end}`) } : undefined;
    } else if (candidate !== undefined && /^Anonymous:\s+0 kB$/.test(line)) {
      ranges.push(candidate);
      candidate = undefined;
    }
  }
  return ranges;
}

/**
 * Takes the pages of program text and constants out of this process's resident set. They stay in the page cache, which
 * all processes share; the ones that are used next are mapped again without reading the disk.
 *
 * Safe at any time: pages that the process changed (relocations) are left alone.
 */
export async function releaseFilePages(): Promise<void> {
  for (const { start, end } of cleanFileRanges(await readFile("/proc/self/smaps", "utf8"))) {
    // ENOMEM: it was unmapped since the list was read. Advice that is not taken is no failure in any case.
    madvise(start, end - start, MADV_DONTNEED);
  }
}
