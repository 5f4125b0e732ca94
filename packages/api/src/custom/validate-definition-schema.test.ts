import assert from "node:assert/strict";
import { test } from "node:test";
import { atOnce } from "@boxship/base";
import type { JsonObject } from "../object/json.ts";
import { asText } from "../status/field-error.ts";
import { validateDefinitionSchema } from "./validate-definition-schema.ts";

const check = (schema: JsonObject, hasStatus = false): readonly string[] =>
  atOnce(validateDefinitionSchema(schema, "s", hasStatus)).errors.map(asText);

/** A schema with one property, `a`. */
const a = (schema: JsonObject, more: JsonObject = {}): JsonObject => ({
  type: "object",
  properties: { a: schema },
  ...more,
});
const text = { type: "string" };
const list = (schema: JsonObject, items: JsonObject = text) => a({ type: "array", items, ...schema });
const pair = { type: "object", required: ["k"], properties: { k: text, v: text } };

const cases: readonly (readonly [string, JsonObject, readonly string[]])[] = [
  ["a good schema", a(text), []],
  ["no type at the root", {}, ["s.type: Required value: must not be empty at the root"]],
  [
    "a list at the root",
    { type: "array", items: text },
    ['s.type: Invalid value: "array": must be object at the root'],
  ],
  [
    "no type of a field",
    a({}),
    ["s.properties[a].type: Required value: must not be empty for specified object fields"],
  ],
  [
    "no type of items",
    list({}, {}),
    ["s.properties[a].items.type: Required value: must not be empty for specified array items"],
  ],
  ["a list of nothing", a({ type: "array" }), ["s.properties[a].items: Required value: must be specified"]],
  [
    "an unknown type",
    a({ type: "text" }),
    [
      's.properties[a].type: Unsupported value: "text": supported values: "array", "boolean", "integer", "number", "object", "string"',
    ],
  ],
  [
    "a map at the root",
    { type: "object", additionalProperties: text },
    ["s.additionalProperties: Forbidden: must not be used at the root"],
  ],
  ["any properties beside some", a({ ...pair, additionalProperties: true }), []],
  [
    "none beside some",
    a({ ...pair, additionalProperties: false }),
    ["s.properties[a].additionalProperties: Forbidden: additionalProperties and properties are mutual exclusive"],
  ],
  [
    "metadata with more than names",
    { type: "object", properties: { metadata: { type: "object", properties: { name: text, labels: text } } } },
    [
      "s.properties[metadata]: Forbidden: must not specify anything other than name and generateName, but metadata is implicitly specified",
    ],
  ],
  ["metadata with a name", { type: "object", properties: { metadata: a(text, { properties: { name: text } }) } }, []],
  [
    "an embedded object of nothing",
    a({ type: "object", "x-kubernetes-embedded-resource": true }),
    [
      "s.properties[a].properties: Required value: must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields",
    ],
  ],
  [
    "an embedded text",
    a({ type: "string", "x-kubernetes-embedded-resource": true, "x-kubernetes-preserve-unknown-fields": true }),
    ['s.properties[a].type: Invalid value: "string": must be object if x-kubernetes-embedded-resource is true'],
  ],
  [
    "int-or-string that keeps what is unknown",
    a({ "x-kubernetes-int-or-string": true, "x-kubernetes-preserve-unknown-fields": true }),
    [
      "s.properties[a].x-kubernetes-preserve-unknown-fields: Invalid value: true: must be false if x-kubernetes-int-or-string is true",
    ],
  ],
  [
    "int-or-string in the two ways to say so",
    {
      type: "object",
      properties: {
        a: { "x-kubernetes-int-or-string": true, anyOf: [{ type: "integer" }, { type: "string" }] },
        b: { "x-kubernetes-int-or-string": true, allOf: [{ anyOf: [{ type: "integer" }, { type: "string" }] }] },
      },
    },
    [],
  ],
  [
    "what a value is, below a junctor",
    a({
      type: "object",
      properties: { b: text },
      not: { nullable: true, "x-kubernetes-int-or-string": true },
      anyOf: [{ type: "object", default: 0, title: "t", description: "d", additionalProperties: text }],
      oneOf: [{ properties: { b: { "x-kubernetes-map-type": "atomic", type: "object" } } }],
      allOf: [{ "x-kubernetes-validations": [{ rule: "true" }], properties: { metadata: {} } }],
    }),
    [
      "allOf[0].properties[metadata]: Forbidden: must not be specified in a nested context",
      "allOf[0].x-kubernetes-validations: Forbidden: must be empty to be structural",
      "anyOf[0].additionalProperties: Forbidden: must be undefined to be structural",
      "anyOf[0].default: Forbidden: must be undefined to be structural",
      "anyOf[0].description: Forbidden: must be empty to be structural",
      "anyOf[0].title: Forbidden: must be empty to be structural",
      "anyOf[0].type: Forbidden: must be empty to be structural",
      "not.nullable: Forbidden: must be false to be structural",
      "not.x-kubernetes-int-or-string: Forbidden: must be false to be structural",
      "oneOf[0].properties[b].type: Forbidden: must be empty to be structural",
      "oneOf[0].properties[b].x-kubernetes-map-type: Forbidden: must be undefined to be structural",
    ].map((one) => `s.properties[a].${one}`),
  ],
  [
    "a field that only a junctor knows",
    a({ type: "array", items: text }, { allOf: [{ properties: { a: { items: { minLength: 1 } }, b: {} } }] }),
    ["s.properties[b]: Required value: because it is defined in s.allOf[0].properties[b]"],
  ],
  [
    "a pattern that is none",
    a({ type: "string", not: { pattern: "(" } }),
    ['s.properties[a].not.pattern: Invalid value: "(": must be a valid regular expression, but isn\'t: '],
  ],
  [
    "keywords of other schemas",
    a({ type: "string", id: "i", $ref: "r", definitions: { d: {} } }),
    ["id", "$ref", "definitions"].map((one) => `s.properties[a].${one}: Forbidden: ${one} is not supported`),
  ],
  [
    "another standard",
    { type: "object", $schema: "x" },
    [`s: Invalid value: "": OpenAPIV3Schema 'schema' is not supported`],
  ],
  [
    "items that differ",
    a({ type: "array", items: [text] }),
    ["s.properties[a].items: Forbidden: items must be a schema object and not an array"],
  ],
  [
    "unique items",
    list({ uniqueItems: true }),
    [
      "s.properties[a].uniqueItems: Forbidden: uniqueItems cannot be set to true since the runtime complexity becomes quadratic",
    ],
  ],
  [
    "nothing at all",
    { type: "object", nullable: true },
    ["s.nullable: Forbidden: nullable cannot be true at the root"],
  ],
  [
    "unknown fields that are not kept",
    a({ type: "object", "x-kubernetes-preserve-unknown-fields": false }),
    ["s.properties[a].x-kubernetes-preserve-unknown-fields: Invalid value: false: must be true or undefined"],
  ],
  [
    "how a text is merged",
    a({ type: "string", "x-kubernetes-map-type": "loose", "x-kubernetes-list-type": "bag" }),
    [
      's.properties[a].type: Invalid value: "string": must be object if x-kubernetes-map-type is specified',
      's.properties[a].x-kubernetes-map-type: Unsupported value: "loose": supported values: "atomic", "granular"',
      's.properties[a].type: Invalid value: "string": must be array if x-kubernetes-list-type is specified',
      's.properties[a].x-kubernetes-list-type: Unsupported value: "bag": supported values: "atomic", "set", "map"',
    ],
  ],
  [
    "a set of objects that are merged",
    list({ "x-kubernetes-list-type": "set" }, { ...pair, nullable: true }),
    [
      "s.properties[a].items.x-kubernetes-map-type: Invalid value: null: must be atomic as item of a list with x-kubernetes-list-type=set",
      "s.properties[a].items.nullable: Forbidden: cannot be nullable when x-kubernetes-list-type is set",
    ],
  ],
  [
    "keys without a map",
    list({ "x-kubernetes-list-map-keys": ["k"] }, pair),
    ["s.properties[a].x-kubernetes-list-type: Required value: must be map if x-kubernetes-list-map-keys is non-empty"],
  ],
  [
    "a map without keys, of texts",
    list({ "x-kubernetes-list-type": "map" }),
    [
      "s.properties[a].x-kubernetes-list-map-keys: Required value: must not be empty if x-kubernetes-list-type is map",
      `s.properties[a].items.type: Invalid value: "string": must be object if parent array's x-kubernetes-list-type is map`,
    ],
  ],
  ["a map", list({ "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"] }, pair), []],
  [
    "a map of bad keys",
    list(
      { "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k", "k", "v", "w", "o"] },
      { ...pair, properties: { k: { ...text, nullable: true }, v: text, o: { type: "object", default: {} } } },
    ),
    [
      "s.properties[a].items.properties[k].nullable: Forbidden: this property is in x-kubernetes-list-map-keys, so it cannot be nullable",
      's.properties[a].x-kubernetes-list-map-keys: Invalid value: ["k","k","v","w","o"]: must not contain duplicate entries',
      "s.properties[a].items.properties[k].nullable: Forbidden: this property is in x-kubernetes-list-map-keys, so it cannot be nullable",
      "s.properties[a].items.properties[v].default: Required value: this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property",
      's.properties[a].x-kubernetes-list-map-keys: Invalid value: ["k","k","v","w","o"]: entries must all be names of item properties',
      `s.properties[a].items.properties[o].type: Invalid value: "object": must be a scalar type if parent array's x-kubernetes-list-type is map`,
    ],
  ],
  [
    "a default of another type",
    a({ type: "integer", default: "1" }),
    ['s.properties[a].default: Invalid value: "string":  in body must be of type integer: "string"'],
  ],
  [
    "a default with unknown fields",
    a({ ...pair, default: { k: "1", x: 1 } }),
    ['s.properties[a].default: Invalid value: {"k":"1","x":1}: must not have unknown fields'],
  ],
  [
    "a default without what is required",
    a({ ...pair, default: { v: "1" } }),
    ["s.properties[a].default.k: Required value"],
  ],
  [
    "a default that a rule refuses",
    a({ type: "integer", default: 1, "x-kubernetes-validations": [{ rule: "self > 1", message: "too small" }] }),
    ['s.properties[a].default: Invalid value: "integer": too small'],
  ],
  ["a default that stays", a({ type: "object", default: { x: 1 }, "x-kubernetes-preserve-unknown-fields": true }), []],
  [
    "defaults of what every object has",
    {
      type: "object",
      properties: { kind: { type: "string", default: "A" }, metadata: { type: "object", default: {} } },
    },
    [
      "s.properties[kind].default: Forbidden: must not be set in top-level kind",
      "s.properties[metadata].default: Forbidden: must not be set in top-level metadata",
    ],
  ],
  [
    "rules without words",
    a(text, {
      "x-kubernetes-validations": [
        { rule: " " },
        { rule: "true", message: " " },
        { rule: "true", message: "a\nb" },
        { rule: "true &&\ntrue" },
        { rule: "true", messageExpression: " ", fieldPath: ".b", reason: "Because" },
        { rule: "true", fieldPath: ".a" },
        { rule: "true", optionalOldSelf: true },
      ],
    }),
    [
      "[0].rule: Required value: rule is not specified",
      '[1].message: Invalid value: " ": must be non-empty if specified',
      '[2].message: Invalid value: "a\\nb": must not contain line breaks',
      "[3].message: Required value: message must be specified if rule contains line breaks",
      "[4].messageExpression: Required value: messageExpression must be non-empty if specified",
      '[4].reason: Unsupported value: "Because": supported values: "FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired"',
      '[4].fieldPath: Invalid value: ".b": must be a valid path',
      "[6].optionalOldSelf: Invalid value: true: may not be set if oldSelf is not used in rule",
    ].map((one) => `s.x-kubernetes-validations${one}`),
  ],
  [
    "what was, within an atomic object",
    a({
      type: "object",
      "x-kubernetes-map-type": "atomic",
      properties: { b: { type: "integer", "x-kubernetes-validations": [{ rule: "self == oldSelf" }] } },
    }),
    [
      's.properties[a].properties[b].x-kubernetes-validations[0].rule: Invalid value: "self == oldSelf": oldSelf cannot be used on the uncorrelatable portion of the schema within s.properties[a]',
    ],
  ],
];

for (const [name, schema, wanted] of cases)
  test(`a definition's schema: ${name}`, () => {
    const found = check(schema);
    assert.equal(found.length, wanted.length, found.join("\n"));
    // What a pattern's reader says of it is its own.
    for (const [index, one] of wanted.entries())
      assert.equal(one.endsWith(": ") ? found[index]?.slice(0, one.length) : found[index], one);
  });

test("a schema whose status is apart has little at its root", () => {
  assert.deepEqual(check(a(text, { required: ["a"], description: "d" }), true), []);
  const [error] = check(a(text, { minProperties: 1 }), true);
  assert.match(
    error ?? "",
    /^s: Invalid value: only \[Description Type .* XValidations\] fields are allowed at the root/,
  );
});
