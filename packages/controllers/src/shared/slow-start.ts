/**
 * Does the same so many times: once, then twice, then four times at once and so on, as long as it goes well. Where it
 * cannot go well (a quota that is used up), few are tried in vain.
 *
 * @returns how many went well, and why the first did not that did not
 */
export async function slowStart(
  times: number,
  act: (index: number) => Promise<void>,
): Promise<{ readonly done: number; readonly error?: unknown }> {
  let done = 0;
  for (let batch = 1; done < times; batch *= 2) {
    const size = Math.min(batch, times - done);
    const first = done;
    const settled = await Promise.allSettled(Array.from({ length: size }, (_, at) => act(first + at)));
    const failed = settled.find((one) => one.status === "rejected");
    done += settled.filter((one) => one.status === "fulfilled").length;
    if (failed !== undefined) return { done, error: failed.reason };
  }
  return { done };
}
