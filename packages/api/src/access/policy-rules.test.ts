import assert from "node:assert/strict";
import { test } from "node:test";
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
    assert.equal(rulesCover(own, wanted), covered, JSON.stringify([own, wanted]));
});
