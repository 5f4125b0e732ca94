import assert from "node:assert/strict";
import { test } from "node:test";
import type { Json } from "@boxship/api";
import fc from "fast-check";
import { BuildFailure } from "../failure.ts";
import { applyOperations, readOperations } from "../patch/json-patch.ts";
import { readRepository } from "../remote/repository.ts";
import { readResources } from "../target/read-resources.ts";
import { expand } from "../transform/variables.ts";
import { emitYaml } from "./emit.ts";
import { fromJson } from "./from-json.ts";
import { parseYaml } from "./parse.ts";
import { toJson } from "./to-json.ts";

const SIGNS = [
  "a",
  ":",
  " ",
  "-",
  "\n",
  "  ",
  "[",
  "]",
  "{",
  "}",
  "&a",
  "*a",
  "<<",
  "|",
  ">",
  "'",
  '"',
  "#",
  "!!str",
  "1",
  "~",
  ",",
];
const text = fc.oneof(
  fc.string({ unit: fc.constantFrom(...SIGNS), maxLength: 40 }),
  fc.string({ maxLength: 60 }),
  fc.string({ unit: "binary", maxLength: 30 }),
);

test("any text is read, or refused as no YAML", () => {
  fc.assert(
    fc.property(text, (one) => {
      try {
        parseYaml(one);
        readResources(one);
      } catch (error) {
        if (!(error instanceof BuildFailure)) throw error;
      }
    }),
  );
});

const value = fc.letrec<{ value: Json; list: Json; object: Json }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.string(),
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
    fc.constantFrom("yes", "0x1", "2020-01-01", " x", "a: b", "- a", "#", "1e3", "x\ny\n"),
    tie("list"),
    tie("object"),
  ),
  list: fc.array(tie("value"), { maxLength: 4 }),
  object: fc.dictionary(
    fc.string({ minLength: 1, maxLength: 5, unit: fc.constantFrom("a", "b", "c", "1", "y") }),
    tie("value"),
    { maxKeys: 4, noNullPrototype: true },
  ),
})).object;

test("what is written is read again as the same", () => {
  fc.assert(
    fc.property(value, (one) => {
      const read = parseYaml(emitYaml(fromJson(one)));
      assert.deepEqual(read && toJson(read), one);
    }),
  );
});

test("aliases that multiply are refused in bounded time", () => {
  const lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"];
  for (let at = 1; at < 12; at++)
    lines.push(
      `a${at}: &a${at} [${Array(10)
        .fill(`*a${at - 1}`)
        .join(", ")}]`,
    );
  assert.throws(() => parseYaml(lines.join("\n")), /excessive aliasing/);
  assert.throws(() => parseYaml("[".repeat(5000)), BuildFailure);
});

test("addresses of repositories are taken apart", () => {
  const parts = (address: string): readonly unknown[] => {
    const { remote, directory, reference } = readRepository(address) ?? {};
    return [remote, directory, reference];
  };
  for (const [address, ...wanted] of [
    ["https://github.com/org/repo//base?ref=v1", "https://github.com/org/repo", "base", "v1"],
    ["github.com/org/repo/sub/dir?version=x", "https://github.com/org/repo", "sub/dir", "x"],
    ["git@github.com:org/repo.git", "git@github.com:org/repo.git", "", ""],
    ["ssh://git@host.example/org/repo.git/a", "ssh://git@host.example/org/repo.git", "/a".slice(1), ""],
    ["https://host.example/org/project/_git/repo/a/b", "https://host.example/org/project/_git/repo", "a/b", ""],
    ["file:///srv/repo.git//x", "file:///srv/repo.git", "x", ""],
    ["../base", undefined, undefined, undefined],
    ["https://host.example/org/repo//../../etc", undefined, undefined, undefined],
  ] as const) {
    assert.deepEqual(parts(address), wanted, address);
  }
  fc.assert(fc.property(fc.string(), (one) => void readRepository(one)));
});

test("variables leave what they do not know", () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom("$", "(", ")", "A", "b") }), (one) => {
      const same = expand(one.replaceAll("$", "$$$$"), () => "?");
      assert.equal(same, one);
    }),
  );
});

test("an operation and its reverse leave an object as it was", () => {
  fc.assert(
    fc.property(value, fc.string({ maxLength: 4 }), (one, key) => {
      const path = `/new${key.replaceAll("~", "~0").replaceAll("/", "~1")}`;
      const operations = readOperations([
        { op: "add", path, value: [1] },
        { op: "test", path: `${path}/0`, value: 1 },
        { op: "remove", path },
      ]);
      assert.deepEqual(applyOperations(structuredClone(one), operations ?? []), one);
    }),
  );
});
