import { assertGolden } from "./golden.ts";
import type { World } from "./world.ts";

/** What is done, in the reader's words, and how. */
export type Step = readonly [what: string, act: () => Promise<unknown>];

/** Does the steps, each under a line that says which, settles after each, and compares what was written with `testdata`. */
export async function scenario(world: World, at: string, name: string, steps: readonly Step[]): Promise<void> {
  world.history.begin();
  for (const [what, act] of steps) {
    world.history.line(`# ${what}`);
    await act();
    await world.settle();
  }
  assertGolden(new URL(`./testdata/${name}.txt`, at), world.history.lines);
}
