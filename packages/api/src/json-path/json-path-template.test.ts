import assert from "node:assert/strict";
import { test } from "node:test";
import type { Json } from "../object/json.ts";
import { JsonPathTemplate } from "./json-path-template.ts";

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
  [".status.conditions[?(@.reason)].type", []],
  [".status.conditions[?(@.type)].type", ["Ready", "Old"]],
  [".status.conditions[-1:].type", ["Old"]],
  [".status..type", ["Ready", "Old"]],
  [".", [object]],
  [".constructor", []],
];

test("paths lead to values", () => {
  for (const [path, found] of cases) assert.deepEqual(new JsonPathTemplate(`{${path}}`).find(object)[0], found, path);
  for (const path of [".a[", ".a[?(@.x]", ".a[x]", ".a}{.b"])
    assert.throws(() => new JsonPathTemplate(`{${path}`), path);
});

test("a path that leads through more values than it may ends", () => {
  let deep: Json = {};
  for (let at = 0; at < 50; at++) deep = { a: deep, b: [deep] };
  assert.throws(() => new JsonPathTemplate("{..a..a..a..b}", { most: 10_000 }).find(deep), {
    name: "ResourceExhausted",
  });
});
