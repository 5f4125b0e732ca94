import assert from "node:assert/strict";
import { test } from "node:test";
import type { Json } from "../object/json.ts";
import { parseJsonPath } from "./json-path.ts";

const object: Json = {
  spec: { replicas: 3, "a.b/c": "x" },
  status: {
    conditions: [
      { type: "Ready", status: "True" },
      { type: "Old", status: "False" },
    ],
  },
};

const cases: readonly [path: string, found: readonly Json[]][] = [
  [".spec.replicas", [3]],
  [".spec.a\\.b/c", ["x"]],
  [".spec['a.b/c']", ["x"]],
  ['.status.conditions[?(@.type=="Ready")].status', ["True"]],
  [".status.conditions[?(@.type!='Ready')].status", ["False"]],
  [".status.conditions[*].type", ["Ready", "Old"]],
  [".status.conditions[0].type", ["Ready"]],
  [".nothing.here", []],
  [".constructor", []],
];

test("paths lead to values", () => {
  for (const [path, found] of cases) assert.deepEqual(parseJsonPath(path)?.find(object), found, path);
  for (const path of ["spec", ".a[", "$..b", ".a[?(@.x)]"]) assert.equal(parseJsonPath(path), undefined, path);
});
