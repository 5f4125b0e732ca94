import assert from "node:assert/strict";
import { fchmodSync, fchownSync, fstatSync, readSync, statSync, writeSync } from "node:fs";
import { test } from "node:test";
import { PrivateNull } from "./private-null.ts";

test("a null device of one's own is nobody else's", () => {
  using place = new PrivateNull();
  using one = place.open();
  using two = place.open();
  assert.equal(fstatSync(one.number).rdev, statSync("/dev/null").rdev);
  assert.equal(writeSync(one.number, "x"), 1);
  assert.equal(readSync(one.number, Buffer.alloc(1)), 0);
  const machine = statSync("/dev/null");
  fchownSync(one.number, 12_345, 12_345);
  fchmodSync(one.number, 0);
  assert.equal(fstatSync(one.number).uid, 12_345);
  assert.deepEqual([fstatSync(two.number).uid, fstatSync(two.number).mode & 0o777], [0, 0o666]);
  assert.deepEqual([statSync("/dev/null").uid, statSync("/dev/null").ino], [machine.uid, machine.ino]);
});
