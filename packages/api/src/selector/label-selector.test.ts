import assert from "node:assert/strict";
import { test } from "node:test";
import { matchesLabels, parseLabelSelector } from "./label-selector.ts";

const cases: readonly [selector: string, labels: Record<string, string>, matches: boolean][] = [
  ["", {}, true],
  ["a=b", { a: "b" }, true],
  ["a==b,c", { a: "b" }, false],
  ["a!=b", {}, true],
  ["a in (b, c),!d", { a: "c" }, true],
  ["a notin (b,c)", { a: "c" }, false],
  ["a notin (b,c)", {}, true],
  ["a=", { a: "" }, true],
  ["a=,b=1", { a: "", b: "1" }, true],
  ["n>3", { n: "4" }, true],
  ["n<3", { n: "4" }, false],
  ["example.com/a in ()", {}, false],
  ["constructor", {}, false],
  ["in=in", { in: "in" }, true],
];

test("label selectors match as upstream's do", () => {
  for (const [text, labels, wanted] of cases) {
    if (text.endsWith("()")) assert.throws(() => parseLabelSelector(text), { name: "InvalidArgument" });
    else assert.equal(matchesLabels(parseLabelSelector(text), labels), wanted, text);
  }
});

test("what is no selector is refused", () => {
  for (const text of ["a in b", "a,,b", "a=b,", "=b", "a!", "(a)", "a in (b", "a > x"]) {
    assert.throws(() => parseLabelSelector(text), { name: "InvalidArgument" }, text);
  }
});
