import { isObject, type Json, type JsonObject, valueAt } from "@boxship/api";
import type { Turns } from "@boxship/base";

/**
 * A document of OpenAPI v2 as `openapi.v2.Document` of gnostic has it in protobuf: kubectl reads it so, and no other form.
 * Paths are left out: kinds and their fields are what is looked up in it.
 */
export function* openapiProtobuf(document: JsonObject): Turns<readonly Uint8Array[]> {
  const info = document["info"];
  const definitions: Buffer[] = [];
  for (const definition of named(document["definitions"]))
    if (definitions.push(definition) % DEFINITIONS === 0) yield undefined;
  return [
    text(1, document["swagger"]),
    message(2, text(1, valueAt(info, "title")), text(2, valueAt(info, "version"))),
    message(8),
    message(9, ...definitions),
  ];
}

/** Definitions that are written before others have a turn. */
const DEFINITIONS = 4;

const STRING = 2;

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let left = value;
  for (; left > 127; left = Math.floor(left / 128)) bytes.push((left % 128) + 128);
  bytes.push(left);
  return Buffer.from(bytes);
}

function message(field: number, ...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  return Buffer.concat([varint(field * 8 + STRING), varint(body.length), body]);
}

const NOTHING = Buffer.alloc(0);

const text = (field: number, value: Json | undefined): Buffer =>
  typeof value === "string" && value !== "" ? message(field, Buffer.from(value)) : NOTHING;

const flag = (field: number): Buffer => Buffer.concat([varint(field * 8), varint(1)]);

/** Of `NamedSchema`. */
function named(schemas: Json | undefined): IteratorObject<Buffer> {
  return Object.entries(isObject(schemas) ? schemas : {})
    .values()
    .map(([name, schema]) => message(1, text(1, name), message(2, schemaOf(schema))));
}

const list = (value: Json | undefined): readonly Json[] => (Array.isArray(value) ? value : []);

/** `openapi.v2.Schema` */
function schemaOf(schema: Json | undefined): Buffer {
  if (!isObject(schema)) return NOTHING;
  const { additionalProperties: more, items, properties } = schema;
  const types = Array.isArray(schema["type"]) ? schema["type"] : [schema["type"]];
  return Buffer.concat([
    text(1, schema["$ref"]),
    text(2, schema["format"]),
    text(4, schema["description"]),
    ...list(schema["required"]).map((field) => text(19, field)),
    // As YAML, which JSON is.
    ...list(schema["enum"]).map((value) => message(20, text(2, JSON.stringify(value)))),
    ...(isObject(more) ? [message(21, message(1, schemaOf(more)))] : more === true ? [message(21, flag(2))] : []),
    ...(types[0] === undefined ? [] : [message(22, ...types.map((type) => text(1, type)))]),
    ...(items === undefined ? [] : [message(23, message(1, schemaOf(items)))]),
    ...list(schema["allOf"]).map((one) => message(24, schemaOf(one))),
    ...(properties === undefined ? [] : [message(25, ...named(properties))]),
    ...Object.entries(schema)
      .filter(([name]) => name.startsWith("x-"))
      // JSON is YAML, which is what an extension's value is written in.
      .map(([name, value]) => message(31, text(1, name), message(2, text(2, JSON.stringify(value))))),
  ]);
}
