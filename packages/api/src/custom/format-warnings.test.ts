import assert from "node:assert/strict";
import { test } from "node:test";
import { formatWarnings } from "./format-warnings.ts";

const crd = (...fields: readonly object[]) =>
  ({
    spec: {
      versions: [{ schema: { openAPIV3Schema: { type: "object", properties: Object.fromEntries(fields.entries()) } } }],
    },
  }) as never;

test("who writes a definition is warned of new formats that nobody knows", () => {
  const known = [
    { type: "string", format: "date-time" },
    { type: "string", format: "k8s-short-name" },
    { type: "integer", format: "int64" },
    { type: "number", format: "double" },
  ];
  const odd = { type: "array", items: { type: "string", format: "colour" } };
  assert.deepEqual(formatWarnings(crd(...known)), []);
  assert.deepEqual(formatWarnings(crd(odd, { type: "integer", format: "uint8" }, odd)), [
    'unrecognized format "colour"',
    'unrecognized format "uint8"',
  ]);
  assert.deepEqual(formatWarnings(crd(odd, { type: "number", format: "int32" }), crd(odd)), [
    'unrecognized format "int32"',
  ]);
});
