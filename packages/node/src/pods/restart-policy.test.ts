import assert from "node:assert/strict";
import { test } from "node:test";
import type { ContainerSpec, Pod } from "../types.ts";
import { startsAgain } from "./restart-policy.ts";

test("a container's rules come before its policy, and that before its pod's", () => {
  const again = (ofPod: string | undefined, own: Partial<ContainerSpec>) => {
    const pod = { metadata: { name: "p" }, spec: { containers: [], restartPolicy: ofPod } } as unknown as Pod;
    return [0, 1, 42].filter((code) => startsAgain(pod, { name: "c", ...own }, code));
  };
  const rule = (operator: string) => ({ action: "Restart", exitCodes: { operator, values: [42] } });
  assert.deepEqual(again(undefined, {}), [0, 1, 42]);
  assert.deepEqual(again("OnFailure", {}), [1, 42]);
  assert.deepEqual(again("Never", {}), []);
  assert.deepEqual(again("Always", { restartPolicy: "Never" }), []);
  assert.deepEqual(again("Never", { restartPolicy: "OnFailure" }), [1, 42]);
  assert.deepEqual(again("Never", { restartPolicy: "Never", restartPolicyRules: [rule("In")] }), [42]);
  assert.deepEqual(again("Always", { restartPolicy: "Never", restartPolicyRules: [rule("NotIn")] }), [0, 1]);
});
