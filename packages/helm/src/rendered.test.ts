import { deepEqual, equal, ok } from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { RECORDED, type Rendered, renderCase, renderedCases } from "./testing/chart-inputs.ts";

/** What Go's text/template with sprig has made of each, by `testing/go-oracle/record.sh`. */
const recorded = readFileSync(RECORDED, "utf8")
  .trimEnd()
  .split("\n")
  .map((line) => JSON.parse(line) as Rendered);
const cases = renderedCases();

describe("charts are rendered as by Go's own templates", () => {
  test("there are enough, and none is without a record", () => {
    deepEqual(
      recorded.map(({ name }) => name),
      [...cases.keys()],
    );
    ok(cases.size >= 60, `${cases.size} charts`);
    const large = recorded.filter(({ name }) => name.startsWith("large-"));
    ok(large.length >= 10);
    for (const { name, rendered = {} } of large) ok(Object.keys(rendered).length > 15, name);
  });

  for (const { name, rendered, error } of recorded) {
    test(name, async () => {
      const one = cases.get(name);
      ok(one !== undefined);
      const got = await renderCase(name, one);
      equal(got.error === undefined, error === undefined, `${got.error} ${error}`);
      deepEqual(got.rendered, rendered);
    });
  }
});
