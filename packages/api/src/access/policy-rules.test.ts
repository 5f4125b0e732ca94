import assert from "node:assert/strict";
import { test } from "node:test";
import { atOnce } from "@boxship/base";
import { type PolicyRule, rulesCover } from "./policy-rules.ts";

const pods = (verbs: string[], more: Partial<PolicyRule> = {}): PolicyRule => ({
  verbs,
  apiGroups: [""],
  resources: ["pods"],
  ...more,
});

const cases: readonly [own: readonly PolicyRule[], wanted: readonly PolicyRule[], covered: boolean][] = [
  [[pods(["get", "list"])], [pods(["get"])], true],
  [[pods(["get"])], [pods(["get", "list"])], false],
  [[pods(["get"]), pods(["list"])], [pods(["get", "list"])], true],
  [[pods(["*"])], [pods(["delete"])], true],
  [[pods(["get"])], [pods(["*"])], false],
  [[pods(["get"])], [pods(["get"], { resources: ["*"] })], false],
  [[pods(["get"], { resourceNames: ["a"] })], [pods(["get"])], false],
  [[pods(["get"])], [pods(["get"], { resourceNames: ["a"] })], true],
  [[pods(["get"])], [pods(["get"], { apiGroups: ["", "apps"] })], false],
  [[{ verbs: ["get"], nonResourceURLs: ["/healthz/*"] }], [{ verbs: ["get"], nonResourceURLs: ["/healthz/x"] }], true],
  [[{ verbs: ["get"], nonResourceURLs: ["/healthz"] }], [{ verbs: ["get"], nonResourceURLs: ["*"] }], false],
  [[], [], true],
];

test("rules cover others that allow no more", () => {
  for (const [own, wanted, covered] of cases)
    assert.equal(atOnce(rulesCover(own, wanted)), covered, JSON.stringify([own, wanted]));
});

test("a rule that stands for millions of things is decided at the first that is not allowed, or in turns", () => {
  const many = (word: string, count = 3000): string[] => Array.from({ length: count }, (_, index) => `${word}${index}`);
  const box: PolicyRule = { verbs: many("v"), apiGroups: [""], resources: many("r"), resourceNames: many("n") };
  assert.equal(atOnce(rulesCover([pods(["get"])], [box])), false);
  assert.equal(atOnce(rulesCover([box], [box])), true);
  assert.equal(atOnce(rulesCover([{ verbs: ["*"], apiGroups: ["*"], resources: ["*"] }], [box])), true);
  const again: PolicyRule = { verbs: Array(3000).fill("get"), apiGroups: [""], resources: Array(3000).fill("pods") };
  assert.equal(atOnce(rulesCover([pods(["get"], { resources: ["pods", "x"] })], [again])), true);
  // By parts of two rules each: nothing but a look at every single thing tells.
  const [left, right] = [many("v", 300), many("w", 300)];
  const parts = [pods(left, { resources: many("r", 300) }), pods(right, { resources: many("r", 300) })];
  const work = rulesCover(parts, [pods([...left, ...right], { resources: many("r", 300) })]);
  let turns = 0;
  let step = work.next();
  for (; step.done !== true; step = work.next()) turns++;
  assert.deepEqual([step.value, turns > 10], [true, true]);
});
