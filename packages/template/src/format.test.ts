import { equal } from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fixture, functions } from "./fixture.testdata.ts";
import { Template } from "./template.ts";

/** `testdata/printf.jsonl`: formats and what Go 1.26 printed for them on the fixture. */
const golden = readFileSync(new URL("./testdata/printf.jsonl", import.meta.url), "utf8")
  .trimEnd()
  .split("\n");

test("printf prints what Go prints", () => {
  for (const line of golden) {
    const { template, want } = JSON.parse(line) as { readonly template: string; readonly want: string };
    equal(new Template("t", { functions }).parse(template).execute(fixture()), want, template);
  }
});
