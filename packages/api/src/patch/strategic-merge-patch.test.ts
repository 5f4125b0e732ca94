import assert from "node:assert/strict";
import { test } from "node:test";
import type { Json } from "../object/json.ts";
import { definition } from "../schema/definitions.ts";
import { applyJsonPatch } from "./json-patch.ts";
import { applyMergePatch } from "./merge-patch.ts";
import { applyStrategicMergePatch } from "./strategic-merge-patch.ts";

const pod = definition("core.v1.PodSpec");
const a = { name: "a", image: "1" };
const b = { name: "b", image: "2" };

const strategic: readonly [what: string, document: Json, patch: Json, wanted: Json][] = [
  [
    "items are merged by their key",
    { containers: [a, b] },
    { containers: [{ name: "b", tty: true }] },
    { containers: [a, { ...b, tty: true }] },
  ],
  ["items are deleted", { containers: [a, b] }, { containers: [{ name: "a", $patch: "delete" }] }, { containers: [b] }],
  ["a list is replaced", { containers: [a] }, { containers: [b, { $patch: "replace" }] }, { containers: [b] }],
  [
    "an object is replaced",
    { securityContext: { runAsUser: 1 } },
    { securityContext: { $patch: "replace", runAsGroup: 2 } },
    { securityContext: { runAsGroup: 2 } },
  ],
  [
    "keys are retained",
    { volumes: [{ name: "v", emptyDir: {} }] },
    { volumes: [{ name: "v", $retainKeys: ["name", "hostPath"], hostPath: { path: "/x" } }] },
    { volumes: [{ name: "v", hostPath: { path: "/x" } }] },
  ],
  [
    "the order is set",
    { containers: [a, b] },
    { "$setElementOrder/containers": [{ name: "b" }, { name: "a" }] },
    { containers: [b, a] },
  ],
  ["null deletes", { hostname: "x", nodeName: "y" }, { hostname: null }, { nodeName: "y" }],
  [
    "other lists are replaced",
    { containers: [{ ...a, args: ["x"] }] },
    { containers: [{ name: "a", args: ["y"] }] },
    { containers: [{ ...a, args: ["y"] }] },
  ],
];

test("strategic merge patches follow the schema and their directives", () => {
  for (const [what, document, patch, wanted] of strategic) {
    assert.deepEqual(applyStrategicMergePatch(pod, document, patch), wanted, what);
  }
  assert.throws(
    () => applyStrategicMergePatch(pod, {}, { containers: [{ image: "x" }] }),
    /does not contain declared merge key: name/,
  );
});

test("primitives are deleted from a list", () => {
  const meta = definition("meta.v1.ObjectMeta");
  const patched = applyStrategicMergePatch(
    meta,
    { finalizers: ["a/b", "c/d"] },
    { "$deleteFromPrimitiveList/finalizers": ["a/b"], finalizers: ["e/f"] },
  );
  assert.deepEqual(patched, { finalizers: ["c/d", "e/f"] });
});

test("merge patches", () => {
  assert.deepEqual(applyMergePatch({ a: { b: 1, c: 2 }, d: [1] }, { a: { b: null, e: 3 }, d: [2] }), {
    a: { c: 2, e: 3 },
    d: [2],
  });
  assert.equal(
    JSON.stringify(applyMergePatch({}, JSON.parse('{"__proto__":{"x":1}}') as Json)),
    '{"__proto__":{"x":1}}',
  );
});

test("JSON patches, and what does not apply", () => {
  const document = (): Json => ({ a: [1, 2], "x/y": { "m~n": 1 } });
  const patch = (...operations: Json[]): Json => applyJsonPatch(document(), operations);
  assert.deepEqual(patch({ op: "add", path: "/a/1", value: 9 }), { a: [1, 9, 2], "x/y": { "m~n": 1 } });
  assert.deepEqual(patch({ op: "replace", path: "/x~1y/m~0n", value: 2 }), { a: [1, 2], "x/y": { "m~n": 2 } });
  assert.deepEqual(patch({ op: "move", from: "/a/0", path: "/b" }), { a: [2], "x/y": { "m~n": 1 }, b: 1 });
  assert.deepEqual(patch({ op: "test", path: "/a/0", value: 1 }, { op: "remove", path: "/a" }), {
    "x/y": { "m~n": 1 },
  });
  for (const bad of [
    { op: "remove", path: "/b" },
    { op: "test", path: "/a/0", value: 2 },
    { op: "add", path: "/a/7", value: 1 },
    { op: "add", path: "/q/r", value: 1 },
  ]) {
    assert.throws(() => patch(bad), { name: "InvalidArgument" }, JSON.stringify(bad));
  }
});
