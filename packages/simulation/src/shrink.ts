import type { Fault } from "./faults.ts";

/**
 * A list of faults, of those that are given, that still fails, and does not without any one of them.
 *
 * @param fails runs with such faults and nothing else
 */
export async function shrinkFaults(
  faults: readonly Fault[],
  fails: (some: readonly Fault[]) => Promise<boolean>,
): Promise<readonly Fault[]> {
  let needed = [...faults];
  const leaveOut = async (size: number): Promise<void> => {
    for (let start = 0; start < needed.length; ) {
      const without = needed.filter((_, index) => index < start || index >= start + size);
      if (await fails(without)) needed = without;
      else start += size;
    }
  };
  // Halves first: most of it is not needed.
  for (let size = Math.ceil(needed.length / 2); size > 1; size = Math.ceil(size / 2)) await leaveOut(size);
  // What was needed beside another may not be without that.
  for (let before = -1; before !== needed.length; ) {
    before = needed.length;
    await leaveOut(1);
  }
  return needed;
}
