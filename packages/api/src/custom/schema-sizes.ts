import type { Shape } from "../cel/estimate-cost.ts";
import type { Schema } from "../schema/schema.ts";
import { escapeField } from "./cel-schema.ts";

/** Bytes of the largest request: no value is larger. */
export const LARGEST_REQUEST = 3 * 2 ** 20;
/** Of durations, and of points in time, with their quotes. */
const TIME_BYTES = 32;
const DATE_BYTES = 12;

/** What rules see of a value: how large it and what is in it can be, by its schema or else by the request's size. */
export function shapeOf(schema: Schema, isRoot = false): Shape {
  const below = schema.items ?? schema.additional;
  const item = below === undefined ? undefined : () => shapeOf(below);
  return {
    size: largestSize(schema),
    field: (name) => fieldShape(schema, name, isRoot),
    ...(item === undefined ? {} : { item }),
    ...(schema.type === "object" ? { isMap: true } : {}),
  };
}

function fieldShape(schema: Schema, name: string, isRoot: boolean): Shape | undefined {
  const own = namedIn(schema).get(name);
  if (own !== undefined) return shapeOf(own);
  if ((isRoot || schema.embedded === true) && name === "metadata") return shapeOf(METADATA);
  return schema.additional === undefined ? undefined : shapeOf(schema.additional);
}

const named = new WeakMap<Schema, ReadonlyMap<string, Schema>>();

/** Properties by the names that expressions have for them. */
function namedIn(schema: Schema): ReadonlyMap<string, Schema> {
  let names = named.get(schema);
  if (names === undefined) {
    names = new Map(
      [...(schema.properties ?? [])].flatMap(([field, below]) => {
        const name = escapeField(field);
        return name === undefined ? [] : [[name, below] as const];
      }),
    );
    named.set(schema, names);
  }
  return names;
}

const METADATA: Schema = {
  type: "object",
  properties: new Map([
    ["name", { type: "string" }],
    ["generateName", { type: "string" }],
  ]),
};

function largestSize(schema: Schema): number {
  const { rules = {}, items = {}, additional } = schema;
  switch (schema.type) {
    case "array":
      return rules.maxItems ?? Math.floor((LARGEST_REQUEST - 2) / (smallestSize(items) + 1));
    case "object":
      if (additional === undefined) return schema.properties?.size ?? LARGEST_REQUEST;
      return rules.maxProperties ?? Math.floor((LARGEST_REQUEST - 2) / (smallestSize(additional) + 6));
    case "string":
      return largestText(schema);
    case "boolean":
    case "integer":
    case "number":
      return schema.intOrString === true ? LARGEST_REQUEST - 2 : 1;
    default:
      return LARGEST_REQUEST - 2;
  }
}

function largestText({ format, rules = {} }: Schema): number {
  if (format === "duration" || format === "date-time") return TIME_BYTES;
  if (format === "date") return DATE_BYTES;
  if (rules.enum !== undefined)
    return Math.max(0, ...rules.enum.map((one) => (typeof one === "string" ? one.length : 0)));
  // A character is four bytes at most.
  if (rules.maxLength !== undefined) return format === "byte" ? rules.maxLength : rules.maxLength * 4;
  return LARGEST_REQUEST - 2;
}

/** Bytes of the shortest JSON of a value. */
function smallestSize(schema: Schema): number {
  if (schema.intOrString === true || schema.type === undefined) return 1;
  if (schema.type === "boolean") return 4;
  if (schema.type === "integer" || schema.type === "number") return 1;
  if (schema.type !== "object") return 2;
  let size = 2;
  for (const [field, below] of schema.properties ?? []) {
    if (schema.required?.includes(field) === true && below.default === undefined)
      size += field.length + smallestSize(below) + 4;
  }
  return size;
}

/** How often a value of a schema can be in one request at most, whatever is around it. */
export const mostOften = (schema: Schema): number => Math.floor(LARGEST_REQUEST / (smallestSize(schema) + 1));
