import { equal, match, throws } from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { fixture, functions } from "./fixture.testdata.ts";
import { Template } from "./template.ts";

/** Parses and executes; Go's error texts are fine, anything else thrown is a failure. */
function survives(text: string, data: unknown): void {
  try {
    new Template("t", { functions, maxSteps: 20_000 }).parse(text).execute(data);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    match(error.message, /^template: /, `${error.stack}`);
  }
}

const pieces = fc.constantFrom(
  ..."{{ }} {{- -}} ( ) | := = , . $ $x .a .l .nope . 1 -2 1.5 0x1f 'a' \"s\" `r` true nil if else end range with".split(
    " ",
  ),
  ..."define template block break continue printf len index slice eq lt and or not upper call id list html".split(" "),
  " ",
  "\n",
  "é",
  "{{/*",
  "*/}}",
  '"%d %5.2f %[2]*v"',
);

test("no text crashes the parser or the executor", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 200 }), (text) => survives(text, { a: 1 })),
    { numRuns: 500 },
  );
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 60 }), (parts) =>
      survives(parts.join(" "), { a: { b: 1n }, l: [1, "x"] }),
    ),
    { numRuns: 3000 },
  );
});

test("no data crashes printing", () => {
  fc.assert(
    fc.property(fc.anything({ withBigInt: true, withMap: true, withTypedArray: true }), (data) => {
      survives('{{.}}{{printf "%v %+v %#v %d %s %q %x %T" . . . . . . . .}}{{range .}}{{.}}{{end}}{{len .}}', data);
    }),
    { numRuns: 500 },
  );
});

test("text without actions comes out as it is", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: "grapheme" }).filter((text) => !text.includes("{{") && text !== ""),
      (text) => equal(new Template("t").parse(text).execute(null), text),
    ),
  );
});

test("a string constant prints itself, however it is quoted", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), (text) => {
      equal(new Template("t").parse('{{printf "%q" .}}').execute(text).startsWith('"'), true);
      const quoted = new Template("t").parse('{{printf "%q" .}}').execute(text);
      equal(new Template("t").parse(`{{${quoted}}}`).execute(null), text);
    }),
  );
});

const deep = (open: string, inside: string, close: string) => open.repeat(20_000) + inside + close.repeat(20_000);

test("nesting without end is refused, not fatal", () => {
  throws(() => new Template("t").parse(`{{${deep("(", "1", ")")}}}`), /max expression depth exceeded/);
  throws(() => new Template("t").parse(deep("{{if 1}}", "x", "{{end}}")), /max expression depth exceeded/);
  throws(() => new Template("t").parse(deep("{{if 1}}{{else ", "x", "{{end}}")), /^InvalidArgument: template: t:1: /);
  const endless = new Template("t").parse('{{define "a"}}{{template "a" .}}{{end}}{{template "a"}}');
  throws(() => endless.execute(null), /exceeded maximum template depth \(1000\)/);
  const unlimited = new Template("t", { maxDepth: 1e9 }).parse(
    '{{define "a"}}{{template "a" .}}{{end}}{{template "a"}}',
  );
  throws(() => unlimited.execute(null), /exceeded maximum template depth/);
});

test("an execution stops at its step limit", () => {
  const template = new Template("t", { maxSteps: 1000 }).parse("{{range 1000000000}}{{end}}");
  throws(
    () => template.execute(null),
    /^InvalidArgument: template: t:1:\d+: .*exceeded maximum number of steps \(1000\)$/,
  );
});

test("typed data of every kind survives every builtin", () => {
  for (const name of ["len", "html", "js", "urlquery", "not", "print", "index", "slice"]) {
    for (const field of ["Status", "Pid", "Ratio", "Inner", "Ptr", "Labels", "List", "Any", "Bytes"]) {
      survives(`{{${name} .${field}}}{{${name} .${field} 0}}{{eq .${field} .${field}}}{{lt .${field} 1}}`, fixture());
    }
  }
});
