import type { Fault } from "./faults.ts";

/**
 * The shortest list of faults, of those that are given, that still fails: each is left out in turn.
 *
 * @param fails runs with such faults and nothing else
 */
export async function shrinkFaults(
  faults: readonly Fault[],
  fails: (some: readonly Fault[]) => Promise<boolean>,
): Promise<readonly Fault[]> {
  let needed = [...faults];
  // Halves first: most of it is not needed.
  for (let size = Math.ceil(needed.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let start = 0; start < needed.length; ) {
      const without = needed.filter((_, index) => index < start || index >= start + size);
      if (await fails(without)) needed = without;
      else start += size;
    }
  }
  return needed;
}
