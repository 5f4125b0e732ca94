import assert from "node:assert/strict";
import { test } from "node:test";
import { atOnce } from "@boxship/base";
import type { Json } from "../object/json.ts";
import type { Schema } from "../schema/schema.ts";
import { MOST_TOLD } from "../status/field-error.ts";
import { validateSchema } from "./validate-schema.ts";

function turnsOf(schema: Schema, value: Json): { readonly turns: number; readonly errors: number } {
  const work = validateSchema(schema, value, "spec");
  for (let turns = 0; ; turns++) {
    const { done, value: errors } = work.next();
    if (done === true) return { turns, errors: errors.length };
  }
}

test("a check that takes long gives way, and tells no more than can be read", () => {
  const items = Array.from({ length: 20_000 }, (_, index) => index);
  const list = (of: Schema): Schema => ({ type: "array", items: of });
  const right = turnsOf(list({ type: "integer" }), items);
  assert.ok(right.turns >= 15 && right.errors === 0, JSON.stringify(right));
  const wrong = turnsOf(list({ type: "string" }), items);
  assert.equal(wrong.errors, MOST_TOLD + 1);
  const anyOf = Array.from({ length: 3000 }, (_, index) => ({ rules: { pattern: `^a${index}$` } }));
  const patterns = turnsOf({ type: "string", rules: { anyOf } }, "a2999");
  assert.ok(patterns.turns >= 30 && patterns.errors === 0, JSON.stringify(patterns));
});

test("alternatives hold as they are counted", () => {
  const [text, long] = [{ type: "string" }, { type: "string", rules: { minLength: 3 } }] as const;
  const holds = (rules: Schema["rules"], value: Json): boolean =>
    atOnce(validateSchema({ ...(rules === undefined ? {} : { rules }) }, value)).length === 0;
  assert.deepEqual(
    [holds({ anyOf: [text, long] }, "a"), holds({ anyOf: [long] }, "a"), holds({ anyOf: [] }, "a")],
    [true, false, false],
  );
  assert.deepEqual(
    [holds({ oneOf: [text, long] }, "a"), holds({ oneOf: [text, long] }, "abc"), holds({ oneOf: [long] }, "a")],
    [true, false, false],
  );
  assert.deepEqual(
    [holds({ not: long }, "a"), holds({ not: long }, "abc"), holds({ allOf: [text, long] }, "a")],
    [true, false, false],
  );
});
