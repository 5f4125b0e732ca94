import assert from "node:assert/strict";
import { test } from "node:test";
import { InvalidArgument } from "@boxship/base";
import type { CacheRecord } from "../../contract.ts";
import { usageFilter } from "./usage-filter.ts";

const record: CacheRecord = {
  id: "abc",
  kind: "exec.cachemount",
  parents: ["p"],
  description: "cached mount /c",
  inUse: false,
  shared: true,
  size: 1,
  created: 0,
  lastUsed: 0,
  uses: 1,
};

test("terms must all hold, of several filters one", () => {
  const passes = (...filters: readonly string[]): boolean => usageFilter(filters)(record);
  assert.ok(passes());
  assert.ok(passes("type==exec.cachemount,shared"));
  assert.ok(passes("id!=x"));
  assert.ok(passes('description~="mount"'));
  assert.ok(passes("id==x", "mutable"));
  assert.ok(!passes("type==regular"));
  assert.ok(!passes("type==exec.cachemount,inuse"));
  assert.ok(!passes("private"));
  assert.ok(!passes("immutable"));
});

test("fields and signs that are not known are refused", () => {
  assert.throws(() => usageFilter(["color==red"])(record), InvalidArgument);
  assert.throws(() => usageFilter(["id<5"]), InvalidArgument);
});
