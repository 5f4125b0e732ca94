import { isBigInteger, isInteger } from "../object/big-integer.ts";
import { getField, isObject, type Json, type JsonObject, setField } from "../object/json.ts";
import { failure } from "../status/failures.ts";
import { definition } from "./definitions.ts";
import type { Schema } from "./schema.ts";
import { textProblem } from "./text-format.ts";
import { isPlain } from "./zero-fields.ts";

/** What was found while a value was brought into its schema's shape. */
export interface Decoded {
  /** Without fields that the schema does not know. */
  readonly value: Json;
  /** Paths of unknown fields, e.g. `spec.containers[0].imagee`. */
  readonly unknown: readonly string[];
  /** Values of a wrong type, and, with `dropEmpty`, texts that are not of their form. */
  readonly mismatches: readonly Mismatch[];
}

export interface Mismatch {
  readonly path: string;
  /** What the schema wants: `int32`, `string`, `[]core.v1.Container`, … */
  readonly wanted: string;
  readonly found: Json;
  /** What is wrong with a text. */
  readonly problem?: string;
  /** The field as Go names it: of which struct it is, and its path without keys and places. */
  readonly goField: string;
}

/** Where a value is, in Go's terms. */
interface Place {
  /** The innermost struct that it is in. */
  readonly struct: string;
  readonly fields: string;
}

export interface DecodeOptions {
  readonly dropEmpty: boolean;
  /** Bytes of JSON that it may have with the defaults of its items; what would have more is refused. @default any number */
  readonly largest?: number;
}

/** Depth beyond which no value goes. */
const DEEPEST = 200;

/**
 * Brings a value into the shape of its schema: unknown fields go, and so do nulls and, with `dropEmpty`, lists and maps
 * of nothing, and zeros that Go does not tell from what is not set, which built-in kinds never write.
 *
 * @throws RequestEntityTooLarge
 */
export function decode(schema: Schema, value: Json, options: DecodeOptions): Decoded {
  const walker = new Walker(options.dropEmpty, options.largest ?? Number.POSITIVE_INFINITY);
  const decoded = walker.walk(schema, value, "", 0, { struct: "", fields: "" });
  return { value: decoded ?? null, unknown: walker.unknown, mismatches: walker.mismatches };
}

const sizes = new WeakMap<Schema, number>();

/** Bytes of JSON that a valid item has with its defaults, at least. */
function leastSize(items: Schema): number {
  let size = sizes.get(items);
  if (size === undefined) {
    const required = new Set(items.required);
    size = items.type === "object" || items.type === "string" ? 3 : 2;
    for (const [field, below] of items.type === "object" ? (items.properties ?? []) : []) {
      if (below.default !== undefined && below.default !== null)
        size += field.length + 4 + JSON.stringify(below.default).length;
      else if (required.has(field)) size += field.length + 5;
    }
    sizes.set(items, size);
  }
  return size;
}

const OF_EVERY_OBJECT: ReadonlySet<string> = new Set(["apiVersion", "kind", "metadata"]);

class Walker {
  readonly unknown: string[] = [];
  readonly mismatches: Mismatch[] = [];
  readonly #dropEmpty: boolean;
  readonly #largest: number;
  /** Bytes that items of lists have at least. */
  #least = 0;

  constructor(dropEmpty: boolean, largest: number) {
    this.#dropEmpty = dropEmpty;
    this.#largest = largest;
  }

  walk(schema: Schema, value: Json, path: string, depth: number, place: Place): Json {
    if (depth > DEEPEST) return this.#mismatch(schema, value, path, place);
    if (value === null) return null;
    if (schema.intOrString) {
      return typeof value === "string" || isInteger(value) ? value : this.#mismatch(schema, value, path, place);
    }
    switch (schema.type) {
      case undefined:
        return value;
      case "object":
        return isObject(value)
          ? this.#object(schema, value, path, depth, place)
          : this.#mismatch(schema, value, path, place);
      case "array":
        if (!Array.isArray(value)) return this.#mismatch(schema, value, path, place);
        this.#reserve(schema.items, value.length);
        return value.map((item, index) => this.walk(schema.items ?? {}, item, `${path}[${index}]`, depth + 1, place));
      case "string":
        if (typeof value === "string") return this.#text(schema, value, path, place);
        if (schema.format === "quantity" && typeof value === "number") return String(value);
        return this.#mismatch(schema, value, path, place);
      case "boolean":
        return typeof value === "boolean" ? value : this.#mismatch(schema, value, path, place);
      case "number":
        return typeof value === "number" || isBigInteger(value) ? value : this.#mismatch(schema, value, path, place);
      case "integer":
        return fitsInteger(schema, value) ? value : this.#mismatch(schema, value, path, place);
    }
  }

  /** A few bytes of each of many items may become as much as no object may have. */
  #reserve(items: Schema | undefined, count: number): void {
    if (items === undefined) return;
    this.#least += leastSize(items) * count;
    if (this.#least <= this.#largest) return;
    const why = `with its defaults the object has at least ${this.#least} bytes, of at most ${this.#largest} that are kept of one`;
    throw failure("RequestEntityTooLarge", `Request entity too large: ${why}`);
  }

  #text(schema: Schema, value: string, path: string, place: Place): string {
    if (schema.format === undefined || !this.#dropEmpty) return value;
    const problem = textProblem(schema.format, value);
    if (problem !== undefined)
      this.mismatches.push({ path, wanted: typeName(schema), found: value, problem, goField: goField(place) });
    return value;
  }

  #object(schema: Schema, value: JsonObject, path: string, depth: number, place: Place): JsonObject {
    const { properties, additional, preserveUnknown, embedded } = schema;
    // Of a built-in kind, what says nothing of its fields may have any.
    const keepsAll = preserveUnknown || (this.#dropEmpty && properties === undefined && additional === undefined);
    const result: JsonObject = {};
    for (const field of Object.keys(value)) {
      const item = getField(value, field);
      if (item === undefined) continue;
      const at = path === "" ? field : `${path}.${field}`;
      // Of an object within a custom one, its schema says less than every object's.
      if (embedded && field === "metadata" && isObject(item)) {
        const inside = new Walker(true, this.#largest);
        setField(result, field, inside.walk(definition("meta.v1.ObjectMeta"), item, at, depth + 1, place));
        // What is of a wrong type is for validation to refuse.
        if (inside.mismatches.length > 0) setField(result, field, item);
        else this.unknown.push(...inside.unknown);
        continue;
      }
      const below = properties?.get(field) ?? additional;
      if (below === undefined) {
        if (keepsAll || (embedded && OF_EVERY_OBJECT.has(field))) setField(result, field, item);
        else this.unknown.push(at);
        continue;
      }
      // As Go has it: no text is an empty one, where it has a name.
      const isEmptied = item === null && this.#dropEmpty && below === additional && below.type === "string";
      const decoded = isEmptied
        ? ""
        : this.walk(below, item, at, depth + 1, below === additional ? place : within(schema, place, field));
      if (this.#keeps(decoded, below, schema, field)) setField(result, field, decoded);
    }
    return result;
  }

  #keeps(value: Json, below: Schema, { additional, required, definition: own }: Schema, field: string): boolean {
    if (additional !== undefined) return true;
    if (value === null) return below.nullable === true;
    if (!this.#dropEmpty || required?.includes(field)) return true;
    if (value === "" || value === 0 || value === false) return own === undefined || !isPlain(own, field);
    if (Array.isArray(value)) return value.length > 0;
    return below.additional === undefined || !isObject(value) || Object.keys(value).length > 0;
  }

  #mismatch(schema: Schema, found: Json, path: string, place: Place): Json {
    this.mismatches.push({ path, wanted: typeName(schema), found, goField: goField(place) });
    // What stays as it is, is for validation to refuse.
    return this.#dropEmpty ? null : found;
  }
}

const within = ({ definition: own }: Schema, { struct, fields }: Place, field: string): Place => ({
  struct: own?.slice(own.lastIndexOf(".") + 1) ?? struct,
  fields: fields === "" ? field : `${fields}.${field}`,
});

const goField = ({ struct, fields }: Place): string => [struct, fields].filter((one) => one !== "").join(".");

function fitsInteger({ format }: Schema, value: Json): boolean {
  if (isBigInteger(value)) return format !== "int32";
  if (!Number.isInteger(value)) return false;
  const most = format === "int32" ? 2 ** 31 : 2 ** 63;
  return (value as number) >= -most && (value as number) < most;
}

/** A type as Go has it. */
export function typeName(schema: Schema): string {
  if (schema.definition !== undefined) return schema.definition.replace(/^.*\.v\d+\w*\./, "v1.");
  if (schema.intOrString) return "intstr.IntOrString";
  switch (schema.type) {
    case "array":
      return `[]${typeName(schema.items ?? {})}`;
    case "object":
      return schema.additional === undefined ? "map[string]interface {}" : `map[string]${typeName(schema.additional)}`;
    case "integer":
      return schema.format ?? "int64";
    case "number":
      return "float64";
    case "boolean":
      return "bool";
    case "string":
      return schema.format === "byte" ? "[]uint8" : "string";
    case undefined:
      return "interface {}";
  }
}
