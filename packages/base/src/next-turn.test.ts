import assert from "node:assert/strict";
import { test } from "node:test";
import { nextTurn } from "./next-turn.ts";

test("of all that wait for a turn, one goes on in each round of the event loop, in their order", async () => {
  const rounds: string[][] = [];
  let isOver = false;
  const begin = (): void => {
    rounds.push([]);
    if (!isOver) setImmediate(begin);
  };
  setImmediate(begin);
  const work = async (name: string): Promise<void> => {
    for (let time = 0; time < 3; time++) {
      await nextTurn();
      rounds.at(-1)?.push(name);
    }
  };
  await Promise.all([work("a"), work("b"), work("c")]);
  isOver = true;
  assert.deepEqual(rounds.flat(), ["a", "b", "c", "a", "b", "c", "a", "b", "c"]);
  assert.ok(
    rounds.every((round) => round.length <= 1),
    JSON.stringify(rounds),
  );
});
