import { equal, throws } from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Refusal } from "../failure.ts";
import { JsonPathTemplate, relaxedPath } from "./jsonpath.ts";

const OBJECT = {
  items: [
    { metadata: { name: "a", labels: { "x.y/z": "1" } }, spec: { n: 1, ready: true } },
    { metadata: { name: "b" }, spec: { n: 20, ready: false, list: ["p", "q", "r"] } },
  ],
};

test("paths lead where kubectl's lead", () => {
  const cases: readonly (readonly [template: string, printed: string])[] = [
    ["{.items[*].metadata.name}", "a b"],
    ['{range .items[*]}{.metadata.name}={.spec.n}{"\\n"}{end}', "a=1\nb=20\n"],
    ["{.items[-1].metadata.name}", "b"],
    ["{.items[1].spec.list[0:2]}", "p q"],
    ["{.items[1].spec.list[::2]}", "p r"],
    ["{.items[0]['metadata.name', 'spec.n']}", ""],
    ["{.items[0].metadata.labels.x\\.y/z}", "1"],
    ["{.items[0].metadata.labels['x.y/z']}", "1"],
    ["{.items[?(@.spec.n>5)].metadata.name}", "b"],
    ['{.items[?(@.metadata.name=="a")].spec.ready}', "true"],
    ["{.items[?(@.spec.list)].metadata.name}", "b"],
    ["{..name}", "a b"],
    ["{.items[0].spec}", '{"n":1,"ready":true}'],
    ["{$.items[0].metadata.name} {.nothing}!", "a !"],
    ["plain", "plain"],
  ];
  for (const [template, printed] of cases) equal(new JsonPathTemplate(template).print(OBJECT), printed, template);
  for (const path of [".a.b", "a.b", "{.a.b}", "{a.b}"]) equal(relaxedPath(path), "{.a.b}");
});

test("no template ends the program", () => {
  const piece = fc.constantFrom(
    "{",
    "}",
    ".items",
    "[",
    "]",
    "*",
    "?(",
    "@.n",
    "==",
    "1",
    "range ",
    "end",
    '"',
    "'",
    "..",
    ":",
    ",",
    "$",
    "a",
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      try {
        new JsonPathTemplate(pieces.join("")).print(OBJECT);
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
      }
    }),
  );
  throws(() => new JsonPathTemplate("{.items[0"), /error parsing jsonpath \{\.items\[0, unterminated array/);
});
