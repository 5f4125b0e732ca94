import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { deal, type LevelSettings, PriorityLevel } from "./priority-level.ts";

const SETTINGS: LevelSettings = {
  name: "level",
  uid: "u",
  exempt: false,
  shares: 1,
  lendable: 0,
  borrowing: undefined,
  queuing: { queues: 16, handSize: 4, lengthLimit: 50 },
};

test("a hand has queues of its own, the same for the same flow", () => {
  fc.assert(
    fc.property(fc.string(), fc.integer({ min: 1, max: 128 }), fc.integer({ min: 1, max: 8 }), (flow, queues, size) => {
      const hand = deal(flow, queues, size);
      assert.deepEqual(hand, deal(flow, queues, size));
      assert.equal(new Set(hand).size, Math.min(queues, size));
      assert.ok(hand.every((index) => index >= 0 && index < queues));
    }),
  );
});

test("who asks for little does not wait for who asks for much", () => {
  const level = new PriorityLevel(SETTINGS);
  const started: string[] = [];
  for (let index = 0; index < 100; index++) level.enqueue("elephant", { start: () => started.push("elephant") });
  const mice = Array.from({ length: 5 }, (_, index) => `mouse${index}`);
  for (const mouse of mice) level.enqueue(mouse, { start: () => started.push(mouse) });
  assert.equal(level.waiting, 105);
  for (let index = 0; index < 40; index++) level.next()?.start();
  for (const mouse of mice) assert.ok(started.includes(mouse), `${mouse} waits for ${started.join(" ")}`);
});

test("full queues take nobody, and who leaves is not called", () => {
  const level = new PriorityLevel({ ...SETTINGS, queuing: { queues: 1, handSize: 1, lengthLimit: 2 } });
  const started: number[] = [];
  const leave = [0, 1, 2].map((index) => level.enqueue("flow", { start: () => started.push(index) }));
  assert.equal(leave[2], undefined);
  leave[0]?.();
  leave[0]?.();
  assert.equal(level.waiting, 1);
  level.next()?.start();
  assert.deepEqual([started, level.next()], [[1], undefined]);
});
