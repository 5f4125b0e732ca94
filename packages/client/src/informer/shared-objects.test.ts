import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject, KubeObject } from "@boxship/api";
import { shareObject } from "./shared-objects.ts";

const make = (resourceVersion: string, data: JsonObject): KubeObject => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name: "a", uid: "u", resourceVersion, managedFields: [{ manager: "m" }] },
  data,
});

test("who has the same version of an object has the same object, frozen, and without who manages its fields", () => {
  const first = shareObject(make("1", { a: "1" }));
  assert.equal(shareObject(make("1", { a: "1" })), first);
  assert.deepEqual(first.metadata, { name: "a", uid: "u", resourceVersion: "1" });
  assert.ok(Object.isFrozen(first["data"]));
  assert.notEqual(shareObject(make("2", { a: "1" })), first);
});

test("of another server with the same uids it is another one", () => {
  const first = shareObject(make("7", { a: "1" }));
  const other = shareObject(make("7", { a: "2" }));
  assert.deepEqual([first["data"], other["data"]], [{ a: "1" }, { a: "2" }]);
});

test("what has no version is nobody else's", () => {
  const bare: KubeObject = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "a" } };
  assert.equal(shareObject(bare), bare);
  assert.notEqual(shareObject({ ...bare, metadata: { name: "a" } }), bare);
});
