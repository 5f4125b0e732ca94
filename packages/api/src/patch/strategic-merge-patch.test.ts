import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Json, JsonObject } from "../object/json.ts";
import { definition } from "../schema/definitions.ts";
import { applyJsonPatch, applyJsonPatchInTurns } from "./json-patch.ts";
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

/** As it was written first: each item is looked for among all. */
function mergedSlowly(before: readonly Item[], patch: readonly Item[]): Item[] {
  let list = [...before];
  for (const { $patch, ...item } of patch) {
    const at = list.findIndex(({ name }) => name === item.name);
    if ($patch === "delete") list = list.filter(({ name }) => name !== item.name);
    else if (at < 0) list.push(item);
    else list[at] = { ...list[at], ...item };
  }
  return list;
}

interface Item extends JsonObject {
  name: string;
}

test("lists are merged as item by item would, whatever is there twice", () => {
  const name = fc.constantFrom("a", "b", "c", "d");
  const item = fc.record({ name, image: fc.constantFrom("1", "2") });
  const patched = fc.record({ name, tty: fc.boolean() });
  const deleted = fc.record({ name, $patch: fc.constant("delete") });
  fc.assert(
    fc.property(fc.array(item), fc.array(fc.oneof(patched, deleted)), (containers, patch) => {
      const merged = applyStrategicMergePatch(pod, { containers }, { containers: patch });
      assert.deepEqual(merged, { containers: mergedSlowly(containers, patch) });
    }),
  );
  const meta = definition("meta.v1.ObjectMeta");
  const finalizers = fc.array(fc.constantFrom("a/a", "b/b", "c/c", "d/d"));
  fc.assert(
    fc.property(finalizers, finalizers, (before, named) => {
      const added = applyStrategicMergePatch(meta, { finalizers: before }, { finalizers: named });
      const fresh = [...new Set(named)].filter((one) => !before.includes(one));
      assert.deepEqual(added, { finalizers: [...before, ...fresh] });
      const patch = { "$deleteFromPrimitiveList/finalizers": named };
      const left = before.filter((one) => !named.includes(one));
      assert.deepEqual(applyStrategicMergePatch(meta, { finalizers: before }, patch), { finalizers: left });
    }),
  );
});

test("an order is kept among what it names, and the rest keeps its place", () => {
  const names = fc.uniqueArray(fc.constantFrom<string>("a", "b", "c", "d", "e", "f"));
  fc.assert(
    fc.property(names, names, (before, order) => {
      const list = (all: readonly string[]) => all.map((name) => ({ name }));
      const patch = { "$setElementOrder/containers": list(order) };
      const { containers } = applyStrategicMergePatch(pod, { containers: list(before) }, patch) as {
        containers: Item[];
      };
      const found = containers.map(({ name }) => name);
      assert.deepEqual(found.toSorted(), before.toSorted());
      assert.deepEqual(
        found.filter((one) => order.includes(one)),
        order.filter((one) => before.includes(one)),
      );
      const others = (all: readonly string[]) => all.filter((one) => !order.includes(one));
      assert.deepEqual(others(found), others(before));
    }),
  );
});

test("lists of sixty thousand items are merged in less steps than items times items", () => {
  const meta = definition("meta.v1.ObjectMeta");
  const finalizers = Array.from({ length: 60_000 }, (_, at) => `a.b/c${at}`);
  const patch = { finalizers, "$setElementOrder/finalizers": finalizers.toReversed() };
  const merged = applyStrategicMergePatch(meta, { finalizers: finalizers.slice(0, 30_000) }, patch);
  assert.deepEqual(merged, { finalizers: finalizers.toReversed() });
  const gone = { "$deleteFromPrimitiveList/finalizers": finalizers };
  assert.deepEqual(applyStrategicMergePatch(meta, { finalizers }, gone), { finalizers: [] });
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

test("JSON patches that move much are applied in turns, to the same", async () => {
  const document = (): Json => ({ a: Array.from({ length: 50_000 }, (_, at) => at) });
  const patch = Array.from({ length: 1000 }, (): Json => ({ op: "move", from: "/a/0", path: "/a/-" }));
  let turns = 0;
  const inTurns = await applyJsonPatchInTurns(document(), patch, async () => void turns++);
  assert.deepEqual(inTurns, applyJsonPatch(document(), patch));
  assert.ok(turns >= 5, `${turns} turns`);
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
