import assert from "node:assert/strict";
import { test } from "node:test";
import type { Json } from "../object/json.ts";
import { applyDefaults } from "./apply-defaults.ts";
import type { Schema } from "./schema.ts";

const object = (properties: Record<string, Schema>, more: Partial<Schema> = {}): Schema => ({
  type: "object",
  properties: new Map(Object.entries(properties)),
  ...more,
});

function filled(schema: Schema, value: Json): Json {
  applyDefaults(schema, value);
  return value;
}

test("defaults are filled in wherever they are, in lists, maps and schemas that contain themselves", () => {
  const leaf = object({ a: { type: "string", default: "A" }, n: { type: "string", default: "N", nullable: true } });
  const plain = object({ x: { type: "string" }, y: object({ z: { type: "integer" } }) });
  const schema = object({
    plain,
    list: { type: "array", items: { type: "array", items: leaf } },
    map: { type: "object", additional: leaf },
    made: object({ b: { type: "integer", default: 2 } }, { default: {} }),
  });
  assert.deepEqual(filled(schema, { plain: { y: {} }, list: [[{}, { a: null, n: null }]], map: { k: { a: "own" } } }), {
    plain: { y: {} },
    list: [
      [
        { a: "A", n: "N" },
        { a: "A", n: null },
      ],
    ],
    map: { k: { a: "own", n: "N" } },
    made: { b: 2 },
  });
  const properties = new Map<string, Schema>([["name", { type: "string" }]]);
  const tree: Schema = { type: "object", properties };
  assert.deepEqual(filled(tree, { child: {} }), { child: {} });
  const other = object({ name: { type: "string", default: "nobody" } });
  const looped: Schema = { type: "object", properties: new Map<string, Schema>([["name", { type: "string" }]]) };
  (looped.properties as Map<string, Schema>).set("child", looped).set("other", other);
  assert.deepEqual(filled(looped, { child: { child: { other: {} } } }), {
    child: { child: { other: { name: "nobody" } } },
  });
});
