import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "@boxship/base";
import { persist } from "./persist.ts";

test("a task is tried until it succeeds, and each failure is told with the wait after it", async () => {
  const told: [unknown, number][] = [];
  let tries = 0;
  const task = async (): Promise<string> => {
    if (tries++ < 3) throw new Error(`failure ${tries}`);
    return "done";
  };
  const failed = (error: unknown, wait: number) => void told.push([(error as Error).message, wait]);
  const { signal } = new AbortController();
  assert.equal(await persist(task, { clock: systemClock, signal, failed, base: 1, most: 2 }), "done");
  assert.deepEqual(told, [
    ["failure 1", 1],
    ["failure 2", 2],
    ["failure 3", 2],
  ]);
});

test("nothing is tried again once it is given up", async () => {
  const ending = new AbortController();
  let tries = 0;
  const task = (): Promise<never> => {
    tries++;
    return Promise.reject(new Error("away"));
  };
  const failed = () => ending.abort(new Error("ended"));
  await assert.rejects(persist(task, { clock: systemClock, signal: ending.signal, failed }), /ended/);
  assert.equal(tries, 1);
});

test("what is told of a failure may end the tries", async () => {
  let tries = 0;
  const task = (): Promise<never> => Promise.reject(new Error(`refusal ${++tries}`));
  const failed = (error: unknown) => {
    if (tries === 2) throw error;
  };
  const { signal } = new AbortController();
  await assert.rejects(persist(task, { clock: systemClock, signal, failed, base: 1 }), /refusal 2/);
});
