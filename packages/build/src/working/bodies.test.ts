import assert from "node:assert/strict";
import { test } from "node:test";
import { InvalidArgument, Unsupported } from "@boxship/base";
import fc from "fast-check";
import { readChanges, readCommand, readCommit, readCopy, readCreate } from "./bodies.ts";

const readers = { readChanges, readCommand, readCommit, readCopy, readCreate };

test("bodies are read field by field; what is missing, unknown or of another type is named", () => {
  const settings = { memory: 4096, mounts: [{ type: "tmpfs", target: "/t" }] };
  assert.deepEqual(readCreate({ from: "scratch", settings }), { from: "scratch", settings });
  assert.deepEqual(readChanges({ env: { A: "1", B: null }, ports: { "80/tcp": true } }), {
    env: { A: "1", B: null },
    ports: { "80/tcp": true },
  });
  const refused: readonly (readonly [() => unknown, new (message: string) => Error, RegExp])[] = [
    [() => readCreate({}), InvalidArgument, /^body\.from is missing$/],
    [() => readCreate({ from: 1 }), InvalidArgument, /^body\.from has to be a text/],
    [() => readCreate({ from: "a\0" }), InvalidArgument, /^body\.from has to be a text/],
    [() => readCreate({ from: "a", other: 1 }), Unsupported, /^body\.other is not known$/],
    [() => readCreate(JSON.parse('{"from":"a","__proto__":{}}')), Unsupported, /__proto__ is not known/],
    [() => readCreate({ from: "a", settings: { mounts: [{ type: "nfs" }] } }), InvalidArgument, /mounts\[0\]\.type/],
    [() => readCopy({ kind: "move", sources: [] }), InvalidArgument, /^body\.kind has to be one of copy, add$/],
    [() => readCommand({ args: "ls" }), InvalidArgument, /^body\.args has to be a list$/],
    [() => readCommit({ timestamp: 1.5 }), InvalidArgument, /^body\.timestamp has to be a whole number$/],
    [() => readChanges([]), InvalidArgument, /^body has to be an object$/],
  ];
  for (const [read, type, words] of refused) {
    assert.throws(read, (error) => error instanceof type && words.test(error.message), String(words));
  }
});

test("whatever is sent is read or refused by the closed set", () => {
  const fields = ["from", "name", "settings", "mounts", "env", "labels", "clear", "kind", "sources", "args", "names"];
  const body = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { depthSize: "small" },
      fc.constantFrom<unknown>(null, true, 0, -1, 1.5, 2 ** 60, "", "copy", "bind", "\0"),
      fc.array(tie("value"), { maxLength: 3 }),
      fc.dictionary(fc.oneof(fc.constantFrom(...fields, "__proto__", "toString"), fc.string()), tie("value")),
    ),
  })).value;
  fc.assert(
    fc.property(fc.constantFrom(...Object.values(readers)), body, (read, value) => {
      try {
        assert.equal(typeof read(value), "object");
      } catch (error) {
        assert.ok(error instanceof InvalidArgument || error instanceof Unsupported, String(error));
      }
    }),
    { numRuns: 2000 },
  );
});
