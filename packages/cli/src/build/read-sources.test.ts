import { rejects } from "node:assert/strict";
import { test } from "node:test";
import type { Context } from "../context.ts";
import { readSources } from "./read-sources.ts";

test("a context that is none is told in Docker's words", async () => {
  const file = import.meta.filename;
  const cases: readonly (readonly [string, string])[] = [
    ["/nonexistent", 'unable to prepare context: path "/nonexistent" not found'],
    [`${file}/below`, `unable to prepare context: path "${file}/below" not found`],
    [file, `unable to prepare context: context must be a directory: ${file}`],
  ];
  for (const [operand, message] of cases) await rejects(readSources({} as Context, operand, ""), { message });
});
