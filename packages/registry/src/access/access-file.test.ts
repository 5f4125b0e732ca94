import assert from "node:assert/strict";
import { test } from "node:test";
import { InvalidArgument } from "@boxship/base";
import { parseAccessFile } from "./access-file.ts";

test("groups and rules are read", () => {
  const source = `
groups: { developers: [ann, bob] }
rules:
  - { groups: [developers], repositories: ["team/**"], actions: [pull, push] }
  - actions: [pull]
`;
  assert.deepEqual(parseAccessFile(source, "f"), {
    groups: { developers: ["ann", "bob"] },
    rules: [{ groups: ["developers"], repositories: ["team/**"], actions: ["pull", "push"] }, { actions: ["pull"] }],
  });
  assert.deepEqual(parseAccessFile("", "f"), { groups: {}, rules: [] });
});

const WRONG: readonly (readonly [string, RegExp])[] = [
  ["[", /^f is not valid YAML/],
  ["[1]", /^f: the file must be a map/],
  ["rule: []", /^f: the file\.rule must be one of groups, rules/],
  ["rules: {}", /^f: rules must be a list/],
  ["rules: [{}]", /^f: rules\[0\]\.actions must be a list of texts/],
  ["rules: [{ actions: [read] }]", /^f: rules\[0\]\.actions must be of pull, push, delete/],
  ["rules: [{ actions: [pull], user: [a] }]", /^f: rules\[0\]\.user must be one of/],
  ["groups: { a: b }", /^f: groups\.a must be a list of texts/],
];
for (const [source, message] of WRONG) {
  test(`refused: ${source}`, () => {
    assert.throws(
      () => parseAccessFile(source, "f"),
      (error: unknown) => error instanceof InvalidArgument && message.test(error.message),
    );
  });
}
