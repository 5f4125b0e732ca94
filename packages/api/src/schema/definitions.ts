import { Internal } from "@boxship/base";
import { DEFAULTS } from "../defaults/default-values.ts";
import { EMPTIES } from "../defaults/empty-values.ts";
import type { Json } from "../object/json.ts";
import table from "../tables/definitions.json" with { type: "json" };
import type { Schema } from "./schema.ts";

/**
 * The built-in definitions, from a table with a line each. A line is its fields, `name:type` and then, where they are
 * so, `!` required, `@set`, `@atomic` or `@map(key,…)` the list or map type, `~merge(key)` the patch strategy and merge
 * key. Types: `s` string, `b` boolean, `i32`, `i64`, `f64`, `byte`, `time`, `ios` integer or string, `any`, `#x` the
 * definition x, `[]x` a list, `{}x` a map. `= type` is another name for a type; a leading `@atomic` is of the whole.
 *
 * Lines are read when they are first needed.
 */
const lines: Readonly<Record<string, string>> = table;

const read = new Map<string, Schema>();

/** Names of all built-in definitions, e.g. `apps.v1.DeploymentSpec`. */
export const definitionNames = (): readonly string[] => Object.keys(lines);

/** @throws Internal for a name that is not in the table */
export function definition(name: string): Schema {
  const known = read.get(name);
  if (known !== undefined) return known;
  const line = lines[name];
  if (line === undefined) throw new Internal(`there is no definition ${name}`);
  const schema = parseDefinition(name, line);
  read.set(name, schema);
  return schema;
}

function parseDefinition(name: string, line: string): Schema {
  if (line.startsWith("= ")) return { ...parseAlias(name, line.slice(2)), definition: name };
  const words = line.split(" ");
  const mapType = words[0] === "@atomic" ? "atomic" : undefined;
  if (words[0]?.startsWith("@")) words.shift();
  const defaults: Readonly<Record<string, Json>> = { ...EMPTIES[name], ...DEFAULTS[name] };
  const required: string[] = [];
  const properties = new Map<string, Schema>();
  for (const word of words) {
    const { field, schema, needed } = parseField(word, defaults);
    properties.set(field, schema);
    if (needed) required.push(field);
  }
  return {
    type: "object",
    properties,
    definition: name,
    ...(required.length === 0 ? {} : { required }),
    ...(mapType === undefined ? {} : { mapType }),
  };
}

function parseAlias(name: string, type: string): Schema {
  if (name === "resource.Quantity") return { type: "string", format: "quantity" };
  if (name === "runtime.RawExtension") return { type: "object", preserveUnknown: true };
  if (name === "meta.v1.FieldsV1") return { type: "object", preserveUnknown: true, mapType: "atomic" };
  return parseType(type);
}

const FIELD =
  /^(?<field>[^:]+):(?<type>[^!@~]+)(?<needed>!)?(?:@(?<list>[a-z]+)(?:\((?<keys>[^)]*)\))?)?(?:~(?<patch>[A-Za-z+]+)(?:\((?<key>[^)]*)\))?)?$/;

function parseField(word: string, defaults: Readonly<Record<string, Json>>) {
  const groups = FIELD.exec(word)?.groups;
  if (groups === undefined) throw new Internal(`${word} is no field of a definition`);
  const { field = "", type = "", needed, list, keys, patch, key } = groups;
  const own: Partial<Writable<Schema>> = {};
  if (list !== undefined) {
    if (type.startsWith("[]")) own.listType = list as "atomic" | "set" | "map";
    else own.mapType = list as "atomic" | "granular";
  }
  if (keys !== undefined) own.listKeys = keys.split(",");
  if (patch !== undefined) own.patchStrategy = new Set(patch.split("+"));
  if (key !== undefined) own.patchMergeKey = key;
  if (Object.hasOwn(defaults, field)) own.default = defaults[field] as Json;
  const base = parseType(type);
  return { field, needed: needed !== undefined, schema: extend(base, own) };
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

function parseType(type: string): Schema {
  if (type.startsWith("[]")) return { type: "array", items: parseType(type.slice(2)) };
  if (type.startsWith("{}")) return { type: "object", additional: parseType(type.slice(2)) };
  if (type.startsWith("#")) return new Reference(type.slice(1));
  const simple = SIMPLE[type];
  if (simple === undefined) throw new Internal(`there is no type ${type}`);
  return simple;
}

const SIMPLE: Readonly<Record<string, Schema>> = {
  s: { type: "string" },
  b: { type: "boolean" },
  i32: { type: "integer", format: "int32" },
  i64: { type: "integer", format: "int64" },
  f64: { type: "number", format: "double" },
  byte: { type: "string", format: "byte" },
  time: { type: "string", format: "date-time" },
  ios: { intOrString: true },
  any: { preserveUnknown: true },
};

function extend(base: Schema, own: Partial<Schema>): Schema {
  if (Object.keys(own).length === 0) return base;
  return base instanceof Reference ? new Reference(base.definition, own) : { ...base, ...own };
}

/** A definition that is read when it is looked into: some contain themselves. */
class Reference implements Schema {
  readonly definition: string;
  readonly #own: Partial<Schema>;

  constructor(name: string, own: Partial<Schema> = {}) {
    this.definition = name;
    this.#own = own;
  }

  get type() {
    return definition(this.definition).type;
  }
  get format() {
    return definition(this.definition).format;
  }
  get properties() {
    return definition(this.definition).properties;
  }
  get additional() {
    return definition(this.definition).additional;
  }
  get items() {
    return definition(this.definition).items;
  }
  get required() {
    return definition(this.definition).required;
  }
  get intOrString() {
    return definition(this.definition).intOrString;
  }
  get preserveUnknown() {
    return definition(this.definition).preserveUnknown;
  }
  get mapType() {
    return this.#own.mapType ?? definition(this.definition).mapType;
  }
  get default() {
    return this.#own.default;
  }
  get patchStrategy() {
    return this.#own.patchStrategy;
  }
  get patchMergeKey() {
    return this.#own.patchMergeKey;
  }
}
