import assert from "node:assert/strict";
import { test } from "node:test";
import { InvalidArgument } from "@boxship/base";
import { DetachKeyFilter, parseDetachKeys } from "./detach-keys.ts";

test("sequences parse to bytes", () => {
  assert.deepEqual([...parseDetachKeys()], [16, 17]);
  assert.deepEqual([...parseDetachKeys("a,ctrl-@,ctrl-[,ctrl-_")], [97, 0, 27, 31]);
  assert.deepEqual([...parseDetachKeys("")], []);
  assert.throws(() => parseDetachKeys("ctrl-p,nokey"), InvalidArgument);
  assert.throws(() => parseDetachKeys("ctrl-"), InvalidArgument);
});

test("a sequence over several chunks detaches and is not passed on", () => {
  const filter = new DetachKeyFilter(parseDetachKeys());
  assert.deepEqual(filter.push(Buffer.from("ab\x10")), { data: Buffer.from("ab"), detached: false });
  assert.deepEqual(filter.push(Buffer.from("\x11rest")), { data: Buffer.alloc(0), detached: true });
});

test("a broken-off sequence is passed on whole", () => {
  const filter = new DetachKeyFilter(parseDetachKeys());
  assert.deepEqual(filter.push(Buffer.from("\x10x")).data, Buffer.from("\x10x"));
  assert.deepEqual(filter.push(Buffer.from("\x10\x10")).data, Buffer.from("\x10"));
  assert.equal(filter.push(Buffer.from("\x11")).detached, true);
});
