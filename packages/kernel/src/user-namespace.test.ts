import assert from "node:assert/strict";
import { test } from "node:test";
import { hasId, idRanges, inUserNamespace } from "./user-namespace.ts";

const INITIAL = "         0          0 4294967295\n";
const ROOTLESS = "         0       1000          1\n         1     100000      65536\n";

test("the maps of a user namespace are read", () => {
  assert.deepEqual(idRanges("uid", ROOTLESS), [
    { inside: 0, outside: 1000, count: 1 },
    { inside: 1, outside: 100_000, count: 65_536 },
  ]);
  assert.deepEqual(idRanges("gid", ""), []);
  assert.throws(() => idRanges("uid", "0 x\n"), { code: "Internal" });
});

test("only a namespace with all ids is the machine's own", () => {
  assert.equal(inUserNamespace(idRanges("uid", INITIAL)), false);
  assert.equal(inUserNamespace(idRanges("uid", ROOTLESS)), true);
  assert.equal(inUserNamespace([]), true);
});

test("an id exists where a range has it", () => {
  const ranges = idRanges("uid", ROOTLESS);
  assert.deepEqual(
    [0, 1, 65_536, 65_537].map((id) => hasId(id, ranges)),
    [true, true, true, false],
  );
});
