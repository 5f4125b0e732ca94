import assert from "node:assert/strict";
import { test } from "node:test";
import { capUpdaters } from "./cap-updaters.ts";
import { FieldSet } from "./field-set.ts";
import type { Manager } from "./managers.ts";

const manager = (name: string, second: number, more: Partial<Manager> = {}): Manager => ({
  name,
  operation: "Update",
  apiVersion: "v1",
  subresource: "",
  time: `2026-01-01T00:00:${String(second).padStart(2, "0")}Z`,
  fields: FieldSet.fromJson({ "f:data": { [`f:${name}`]: {} } }),
  ...more,
});
const shown = (managers: readonly Manager[]) =>
  managers
    .map(
      ({ name, time, apiVersion, fields }) =>
        `${name} ${time.slice(17, 19)} ${apiVersion} ${[...fields.paths()].sort().join()}`,
    )
    .sort();
const ten = Array.from({ length: 10 }, (_, index) => manager(`m${index}`, 10 + index));

test("ten updaters and any number of appliers stay as they are", () => {
  const appliers = Array.from({ length: 30 }, (_, index) => manager(`a${index}`, index, { operation: "Apply" }));
  assert.deepEqual(shown(capUpdaters([...ten, ...appliers])), shown([...ten, ...appliers]));
});

test("the oldest of eleven become one, with the later time and the fields of both", () => {
  const left = shown(capUpdaters([...ten, manager("new", 30)]));
  assert.equal(left.length, 10);
  assert.ok(left.includes("ancient-changes 11 v1 .data.m0,.data.m1"), left.join("\n"));
  assert.ok(left.includes("new 30 v1 .data.new"));
});

test("the next one goes to those that were gathered, also of another subresource, and at one time by name", () => {
  const once = capUpdaters([...ten, manager("new", 30)]);
  const twice = shown(capUpdaters([...once, manager("b", 12, { subresource: "status" })]));
  assert.equal(twice.length, 10);
  assert.ok(twice.includes("ancient-changes 12 v1 .data.b,.data.m0,.data.m1"), twice.join("\n"));
  assert.ok(twice.includes("m2 12 v1 .data.m2"));
});

test("versions are gathered each by itself; where each has one only, nothing can be", () => {
  const versions = Array.from({ length: 12 }, (_, index) => manager("m", index, { apiVersion: `x.io/v${index}` }));
  assert.equal(capUpdaters(versions).length, 12);
  const mixed = [manager("old", 1, { apiVersion: "v2" }), ...ten, manager("older", 2, { apiVersion: "v2" })];
  const left = shown(capUpdaters(mixed));
  assert.ok(left.includes("ancient-changes 02 v2 .data.old,.data.older"), left.join("\n"));
  assert.ok(left.includes("ancient-changes 11 v1 .data.m0,.data.m1"), left.join("\n"));
});
