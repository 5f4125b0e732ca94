import assert from "node:assert/strict";
import { test } from "node:test";
import type { Json, KubeObject } from "@boxship/api";
import { ParsedRules } from "./parsed-rules.ts";

const binding = (name: string, subjects: readonly Json[], namespace?: string): KubeObject => ({
  apiVersion: "rbac.authorization.k8s.io/v1",
  kind: namespace === undefined ? "ClusterRoleBinding" : "RoleBinding",
  metadata: namespace === undefined ? { name } : { name, namespace },
  subjects: [...subjects],
});
const user = { kind: "User", name: "bob" };
const group = { kind: "Group", name: "staff" };
const account = { kind: "ServiceAccount", name: "robot" };

test("bindings are found by their subjects, in their order, each once and by the first of its subjects", () => {
  const parsed = new ParsedRules(1, [
    binding("a", [{ kind: "User", name: "eve" }, group, user]),
    binding("b", [user, user]),
    binding("c", [{ ...account, namespace: "x" }]),
    binding("d", [{ kind: "Group", name: "bob" }, account]),
    binding("e", [group], "x"),
    binding("f", [account], "x"),
  ]);
  const bound = (name: string, groups: readonly string[], namespace = "") =>
    parsed.boundTo({ name, groups }, namespace).map((one) => [one.binding.metadata.name, one.subject]);
  assert.deepEqual(bound("bob", ["staff", "staff"]), [
    ["a", group],
    ["b", user],
  ]);
  assert.deepEqual(bound("bob", []), [
    ["a", user],
    ["b", user],
  ]);
  const robot = "system:serviceaccount:x:robot";
  assert.deepEqual(bound(robot, []), [["c", { ...account, namespace: "x" }]], "an account of no namespace is nobody");
  assert.deepEqual(bound(robot, ["staff"], "x"), [
    ["e", group],
    ["f", account],
  ]);
  assert.deepEqual(bound(robot, ["staff"], "y"), []);
});
