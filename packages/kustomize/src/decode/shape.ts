import { isObject, type Json, type JsonObject, setField } from "@boxship/api";
import { quoteJson } from "@boxship/api/go-json";
import { BuildFailure } from "../failure.ts";

/** What a configuration may say, so that a wrong one is refused in the words of the original. */
export type Shape =
  | "string"
  | "bool"
  | "int64"
  | "int"
  | "any"
  | { readonly list: Shape }
  | { readonly map: Shape }
  | Struct;

export interface Struct {
  /** Its name in messages, e.g. `types.Label`. */
  readonly type: string;
  readonly fields: Readonly<Record<string, Shape>>;
}

export interface DecodeOptions {
  /** Numbers and booleans become text where text is wanted. @default false */
  readonly lenient?: boolean;
  /** Fields that the shape does not have are left out. @default false */
  readonly ignoreUnknown?: boolean;
}

/** @returns the value with fields by their proper names (their case does not matter), without nulls */
export function decode(value: Json, shape: Struct, options: DecodeOptions = {}): JsonObject {
  return new Decoder(shape.type.replace(/^.*\./, ""), options).struct(value, shape, []);
}

class Decoder {
  readonly #root: string;
  readonly #options: DecodeOptions;

  constructor(root: string, options: DecodeOptions) {
    this.#root = root;
    this.#options = options;
  }

  struct(value: Json, shape: Struct, path: readonly string[]): JsonObject {
    const result: JsonObject = {};
    if (value === null) return result;
    if (!isObject(value)) throw this.#wrong(value, shape, path);
    for (const name of Object.keys(value).sort()) {
      const field = fieldNamed(shape, name);
      const below = value[name] ?? null;
      if (field === undefined) {
        if (this.#options.ignoreUnknown === true) continue;
        throw new BuildFailure(`json: unknown field ${quoteJson(name)}`);
      }
      if (below !== null) result[field] = this.#value(below, shape.fields[field] ?? "any", [...path, field]);
    }
    return result;
  }

  #value(value: Json, shape: Shape, path: readonly string[]): Json {
    if (shape === "any") return value;
    if (shape === "string") return this.#string(value, path);
    if (shape === "bool") return typeof value === "boolean" ? value : this.#fail(value, shape, path);
    if (shape === "int" || shape === "int64") return this.#integer(value, shape, path);
    if ("list" in shape) {
      if (!Array.isArray(value)) return this.#fail(value, shape, path);
      return value.map((item, at) =>
        item === null ? empty(shape.list) : this.#value(item, shape.list, [...path, String(at)]),
      );
    }
    if ("fields" in shape) return this.struct(value, shape, path);
    if (!isObject(value)) return this.#fail(value, shape, path);
    const result: JsonObject = {};
    for (const name of Object.keys(value).sort()) {
      const item = value[name] ?? null;
      setField(result, name, item === null ? empty(shape.map) : this.#value(item, shape.map, [...path, name]));
    }
    return result;
  }

  #string(value: Json, path: readonly string[]): Json {
    if (typeof value === "string") return value;
    const simple = typeof value === "number" || typeof value === "boolean";
    return simple && this.#options.lenient === true ? String(value) : this.#fail(value, "string", path);
  }

  #integer(value: Json, shape: Shape, path: readonly string[]): Json {
    if (typeof value !== "number") return this.#fail(value, shape, path);
    return Number.isInteger(value) ? value : this.#fail(value, shape, path, ` ${value}`);
  }

  #fail(value: Json, shape: Shape, path: readonly string[], more = ""): never {
    throw this.#wrong(value, shape, path, more);
  }

  #wrong(value: Json, shape: Shape, path: readonly string[], more = ""): BuildFailure {
    const kind = Array.isArray(value) ? "array" : typeof value === "boolean" ? "bool" : typeof value;
    const where = [this.#root, ...path].join(".");
    const what = path.length === 0 ? "Go value" : /^\d+$/.test(path.at(-1) ?? "") ? where : `Go struct field ${where}`;
    return new BuildFailure(`json: cannot unmarshal ${kind}${more} into ${what} of type ${typeText(shape)}`);
  }
}

function empty(shape: Shape): Json {
  if (shape === "string") return "";
  if (shape === "bool") return false;
  if (shape === "int" || shape === "int64") return 0;
  if (shape === "any") return null;
  return "list" in shape ? [] : {};
}

function fieldNamed({ fields }: Struct, name: string): string | undefined {
  if (Object.hasOwn(fields, name)) return name;
  const lower = name.toLowerCase();
  return Object.keys(fields).find((field) => field.toLowerCase() === lower);
}

function typeText(shape: Shape): string {
  if (typeof shape === "string") return shape === "any" ? "interface {}" : shape;
  if ("list" in shape) return `[]${typeText(shape.list)}`;
  return "map" in shape ? `map[string]${typeText(shape.map)}` : shape.type;
}
