import { deepEqual } from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fixture, functions } from "./fixture.testdata.ts";
import { parseJson } from "./json.ts";
import type { MissingKey } from "./state.ts";
import { Template } from "./template.ts";

/** One line of `testdata/golden.jsonl`: what Go 1.26 printed or said for a template. */
interface Case {
  readonly template: string;
  /** The line's data as JSON; without it, or with `struct`, see `fixture.testdata.ts`. */
  readonly data?: unknown;
  readonly struct?: boolean;
  readonly missingKey?: MissingKey;
  readonly want?: string;
  readonly error?: string;
}

function run(golden: Case): { readonly want?: string; readonly error?: string } {
  try {
    const template = new Template("t", { functions, ...(golden.missingKey && { missingKey: golden.missingKey }) });
    const data = golden.struct ? fixture() : golden.data;
    return { want: template.parse(golden.template).execute(data) };
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return { error: error.message };
  }
}

const golden = readFileSync(new URL("./testdata/golden.jsonl", import.meta.url), "utf8")
  .trimEnd()
  .split("\n");

for (const line of golden) {
  const { want, error, ...rest } = parseJson(line) as Case;
  test(`as Go: ${rest.template.slice(0, 60)}${rest.missingKey === undefined ? "" : ` (${rest.missingKey})`}`, () => {
    deepEqual(run(rest), want === undefined ? { error } : { want });
  });
}
