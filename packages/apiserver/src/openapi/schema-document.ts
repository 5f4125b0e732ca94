import { definition, enumerationOf, isObject, type Json, type JsonObject, type Schema } from "@boxship/api";
import { openapiName } from "./openapi-name.ts";

/** What definitions and their fields are for, in upstream's words; undefined for what has no words. */
export type Describe = (definition: string, field?: string) => string | undefined;

/** The definitions that a document needs, with those that they need, as OpenAPI has them. */
export class SchemaDocument {
  readonly #prefix: string;
  readonly #describe: Describe;
  readonly schemas: Record<string, JsonObject> = {};

  /** @param prefix of references, e.g. `#/components/schemas/` */
  constructor(prefix: string, describe: Describe) {
    this.#prefix = prefix;
    this.#describe = describe;
  }

  /** A reference to a built-in definition, which the document has from then on. */
  reference(name: string): JsonObject {
    const full = openapiName(name);
    if (this.schemas[full] === undefined) {
      // Some contain themselves.
      this.schemas[full] = {};
      this.schemas[full] = this.#whole(name);
    }
    return { $ref: `${this.#prefix}${full}` };
  }

  /** Adds a schema that has a name of its own. */
  add(name: string, schema: JsonObject): JsonObject {
    this.schemas[name] = schema;
    return { $ref: `${this.#prefix}${name}` };
  }

  #whole(name: string): JsonObject {
    const description = this.#describe(name);
    const schema = definition(name);
    return { ...(description === undefined ? {} : { description }), ...this.shape(schema, name) };
  }

  /** A schema written out; definitions inside of it are referred to. */
  shape(schema: Schema, owner?: string): JsonObject {
    const { type, format, properties, additional, items, required, intOrString } = schema;
    const result: JsonObject = {};
    if (schema.description !== undefined) result["description"] = schema.description;
    if (intOrString) {
      if (owner === "intstr.IntOrString")
        return { format: "int-or-string", oneOf: [{ type: "integer" }, { type: "string" }] };
      result["x-kubernetes-int-or-string"] = true;
    }
    if (type !== undefined) result["type"] = type;
    if (format !== undefined && format !== "quantity") result["format"] = format;
    if (properties !== undefined) {
      const fields: JsonObject = {};
      for (const [field, below] of properties) fields[field] = this.#field(below, owner, field);
      result["properties"] = fields;
    }
    if (additional !== undefined) result["additionalProperties"] = this.#below(additional);
    if (items !== undefined) result["items"] = this.#below(items);
    if (required !== undefined && required.length > 0) result["required"] = [...required];
    return { ...result, ...rulesOf(schema), ...extensionsOf(schema, owner) };
  }

  #field(schema: Schema, owner: string | undefined, field: string): JsonObject {
    // Where a field has no words of its own, its definition's say what it is.
    const description =
      owner === undefined
        ? undefined
        : (this.#describe(owner, field) ?? (schema.definition && this.#describe(schema.definition)));
    const own = description === undefined ? {} : { description };
    if (schema.definition === undefined) return { ...own, ...listed(this.shape(schema), owner, field) };
    const reference = this.reference(schema.definition);
    const more = extensionsOf(schema, undefined);
    if (Object.keys(own).length === 0 && Object.keys(more).length === 0) return reference;
    return { ...own, allOf: [reference], ...more };
  }

  #below(schema: Schema): JsonObject {
    return schema.definition === undefined ? this.shape(schema) : this.reference(schema.definition);
  }
}

/** A field's shape with the values that it can have, where upstream lists them. */
function listed(shape: JsonObject, owner: string | undefined, field: string): JsonObject {
  const values = owner === undefined ? undefined : enumerationOf(owner, field);
  if (values === undefined) return shape;
  const within = ["items", "additionalProperties"].find((name) => isObject(shape[name]));
  if (within === undefined) return { ...shape, enum: [...values] };
  return { ...shape, [within]: { ...(shape[within] as JsonObject), enum: [...values] } };
}

function extensionsOf(schema: Schema, owner: string | undefined): JsonObject {
  const { listType, listKeys, patchStrategy, patchMergeKey, mapType, preserveUnknown, embedded, nullable } = schema;
  const result: JsonObject = {};
  if (schema.default !== undefined && schema.default !== null) result["default"] = schema.default;
  if (listType !== undefined) result["x-kubernetes-list-type"] = listType;
  if (listKeys !== undefined) result["x-kubernetes-list-map-keys"] = [...listKeys];
  if (mapType !== undefined) result["x-kubernetes-map-type"] = mapType;
  if (patchStrategy !== undefined) result["x-kubernetes-patch-strategy"] = [...patchStrategy].join(",");
  if (patchMergeKey !== undefined) result["x-kubernetes-patch-merge-key"] = patchMergeKey;
  if (preserveUnknown && owner === undefined && schema.type !== undefined)
    result["x-kubernetes-preserve-unknown-fields"] = true;
  if (embedded) result["x-kubernetes-embedded-resource"] = true;
  if (nullable) result["nullable"] = true;
  return result;
}

function rulesOf({ rules }: Schema): JsonObject {
  const result: JsonObject = {};
  for (const [name, value] of Object.entries(rules ?? {})) {
    // Alternatives are checked here; documents say the structure.
    if (!["allOf", "anyOf", "oneOf", "not"].includes(name)) result[name] = value as Json;
  }
  return result;
}
