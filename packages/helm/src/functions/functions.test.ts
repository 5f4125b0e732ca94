import { deepEqual, equal } from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { Template } from "@boxship/template";
import { helmFunctions } from "./sprig-functions.ts";

const read = (name: string): string =>
  readFileSync(new URL(`../testdata/functions/${name}`, import.meta.url), "utf8").trimEnd();

interface Golden {
  readonly template: string;
  readonly want?: string;
  readonly error?: string;
}

/** What Go 1.19 says in other words than Go 1.26, whose text/template ours is; sprig's own panics vary with Go, too. */
const WORDED_OTHERWISE = new Set(read("worded-otherwise.txt").split("\n"));

function render(source: string): { readonly want?: string; readonly error?: string } {
  try {
    const template = new Template("t", { functions: helmFunctions, missingKey: "zero" });
    return { want: template.parse(source).execute(JSON.parse(read("data.json")) as unknown) };
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
}

describe("functions give what sprig's give under Go", { concurrency: false }, () => {
  process.env["TZ"] = "UTC";
  for (const line of read("golden.jsonl").split("\n")) {
    const { template, want, error } = JSON.parse(line) as Golden;
    test(template.slice(0, 80), () => {
      const ours = render(template);
      if (want !== undefined) deepEqual(ours, { want });
      else if (WORDED_OTHERWISE.has(template)) equal(typeof ours.error, "string");
      else deepEqual(ours, { error });
    });
  }
});
