import assert from "node:assert/strict";
import { test } from "node:test";
import { atOnce } from "@boxship/base";
import { fromJsonSchema } from "./from-json-schema.ts";
import { validateCelRules } from "./validate-cel-rules.ts";

const schema = fromJsonSchema({
  type: "object",
  properties: {
    list: {
      type: "array",
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["name", "port"],
      items: {
        type: "object",
        properties: { name: { type: "string" }, port: { type: "integer" }, v: { type: "integer" } },
        "x-kubernetes-validations": [{ rule: "self.v >= oldSelf.v", message: "never less" }, { rule: "self.v >= 0" }],
      },
    },
  },
});
const list = (count: number, v: number) => ({
  list: Array.from({ length: count }, (_, index) => ({ name: `n${index}`, port: 80, v })),
});

test("items follow those of their keys, wherever those were", () => {
  const old = { list: [...list(3, 5).list, { name: "n0", port: 81, v: 9 }] };
  const next = {
    list: [
      { name: "n2", port: 80, v: 4 },
      { name: "n0", port: 81, v: 9 },
      { name: "n0", port: 80, v: 6 },
      { name: "new", port: 80, v: 1 },
    ],
  };
  assert.deepEqual(
    atOnce(validateCelRules(schema, next, old)).map(({ field, message }) => `${field} ${message}`),
    ['list[0] Invalid value: "object": never less'],
  );
});

test("long lists are gone over once, and in turns", () => {
  const [old, next] = [list(20_000, 1), list(20_000, 2)];
  next.list.reverse();
  const work = validateCelRules(schema, next, old);
  let turns = 0;
  let step = work.next();
  for (; step.done !== true; step = work.next()) turns++;
  assert.deepEqual([step.value, turns > 40], [[], true]);
});
