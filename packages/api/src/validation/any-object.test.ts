import assert from "node:assert/strict";
import { test } from "node:test";
import { builtinKinds } from "../kind/builtin-kinds.ts";
import type { Json, JsonObject } from "../object/json.ts";
import { deepCopy, setField } from "../object/json.ts";
import type { Schema } from "../schema/schema.ts";
import { kindOf, objectOf, problemsOf, warningsOf } from "../testing/problems-of.ts";

const TEXTS = [
  "",
  "a",
  "A b",
  "10.0.0.1/8",
  "::1",
  "1Gi",
  "50%",
  "a.io/b",
  "In",
  "Exists",
  "NoExecute",
  "-1",
  "/",
  "*",
];
const NUMBERS = [0, 1, -1, 80, 70_000, 2 ** 31 - 1];
const FORMED: Readonly<Record<string, readonly string[]>> = {
  quantity: ["1", "-1", "1500m", "1Gi", "0"],
  "date-time": ["2026-01-01T00:00:00Z"],
  byte: ["", "YQ=="],
};

/** Draws by a seed: the same one the same values. */
function drawer(seed: number): <T>(choices: readonly T[]) => T {
  let state = seed;
  return (choices) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return choices[(state >>> 8) % choices.length] as (typeof choices)[number];
  };
}

type Draw = ReturnType<typeof drawer>;

function valueOf(schema: Schema, draw: Draw, depth: number): Json {
  const { type, properties, additional, items, format } = schema;
  if (schema.intOrString === true) return draw([80, 0, "25%", "web", "x y"]);
  if (type === "array") return Array.from({ length: draw([0, 1, 2]) }, () => valueOf(items ?? {}, draw, depth + 1));
  if (type === "integer" || type === "number") return draw(NUMBERS);
  if (type === "boolean") return draw([true, false]);
  if (type === "string" || format === "quantity") return draw(FORMED[format ?? ""] ?? TEXTS);
  const made: JsonObject = {};
  if (additional !== undefined && depth < 9) setField(made, draw(TEXTS), valueOf(additional, draw, depth + 1));
  for (const [field, below] of properties ?? []) {
    const likely = depth < 3 ? [true, true, false] : depth < 9 ? [true, false, false] : [false];
    if (draw(likely)) setField(made, field, valueOf(below, draw, depth + 1));
  }
  return made;
}

const OBJECTS = 6;

test("whatever fits its schema is taken or refused, and no validator fails", () => {
  let refused = 0;
  for (const { resource, group, schema } of builtinKinds()) {
    const plural = group === "" ? resource : `${resource}.${group}`;
    const spec: Schema = {
      ...schema,
      properties: new Map(
        [...(schema.properties ?? [])].filter(([field]) => !/^(apiVersion|kind|metadata)$/.test(field)),
      ),
    };
    for (let seed = 1; seed <= OBJECTS; seed++) {
      const draw = drawer(seed);
      const fields = valueOf(spec, draw, 0) as JsonObject;
      const before = draw([true, false]) ? (valueOf(spec, draw, 0) as JsonObject) : deepCopy(fields);
      const kind = kindOf(plural);
      kind.hooks.prepareCreate?.(objectOf(kind, fields));
      kind.hooks.prepareUpdate?.(objectOf(kind, fields), objectOf(kind, before), "");
      if (problemsOf(plural, fields).length > 0) refused++;
      problemsOf(plural, fields, before);
      problemsOf(plural, fields, before, "status");
      warningsOf(plural, fields, before);
    }
  }
  assert.ok(refused > 0);
});
