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
  ["a in ()", { a: "" }, true],
  ["a in (,b)", { a: "" }, true],
  ["a in (b,,c)", { a: "" }, true],
  ["a in (in, notin)", { a: "notin" }, true],
  ["constructor", {}, false],
  ["in=in", { in: "in" }, true],
];

test("label selectors match as upstream's do", () => {
  for (const [text, labels, wanted] of cases) {
    assert.equal(matchesLabels(parseLabelSelector(text), labels), wanted, text);
  }
});

const KEY =
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const VALUE =
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const INTEGER = "for 'Gt', 'Lt' operators, the value must be an integer";

test("what is no selector is refused in upstream's words", () => {
  const wrong: readonly [selector: string, words: string][] = [
    ["a in b", "unable to parse requirement: found 'b' expected: '('"],
    ["a,,b", "found ',', expected: identifier after ','"],
    ["a=b,", "found '', expected: identifier after ','"],
    ["=b", "found '=', expected: !, identifier, or 'end of string'"],
    ["a!", "unable to parse requirement: found '!', expected: in, notin, =, ==, !=, gt, lt"],
    ["a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"],
    ["(a)", "found '(', expected: !, identifier, or 'end of string'"],
    ["!", "unable to parse requirement: found '', expected: identifier"],
    ["a=b c", "found 'c', expected: ',' or 'end of string'"],
    ["a===b", "unable to parse requirement: found '=', expected: identifier"],
    ["a in (b", "unable to parse requirement: found '', expected: ',' or ')'"],
    ["a in (b c)", "unable to parse requirement: found 'c', expected: ',' or ')'"],
    ["a in (!b)", "unable to parse requirement: found '!', expected: ',', ')' or identifier"],
    ["a in (b,!c)", "unable to parse requirement: found '!', expected: ',', or identifier"],
    ["a > x", `unable to parse requirement: values[0]: Invalid value: "x": ${INTEGER}`],
    ["a >", `unable to parse requirement: values[0]: Invalid value: "": ${INTEGER}`],
    [
      "a < 9223372036854775808",
      `unable to parse requirement: values[0]: Invalid value: "9223372036854775808": ${INTEGER}`,
    ],
    ["a%=b", `unable to parse requirement: <nil>: Invalid value: "a%": ${KEY}`],
    ["a=b%", `unable to parse requirement: values[0][a]: Invalid value: "b%": ${VALUE}`],
    [
      "a in (c%,b%)",
      `unable to parse requirement: [values[0][a]: Invalid value: "b%": ${VALUE}, values[1][a]: Invalid value: "c%": ${VALUE}]`,
    ],
  ];
  for (const [text, message] of wrong)
    assert.throws(() => parseLabelSelector(text), { name: "InvalidArgument", message }, text);
});
