import { atOnce, type Turns } from "@boxship/base";
import { isObject, type Json, type JsonObject } from "../object/json.ts";
import { listAt, textAt, valueAt } from "../object/kube-object.ts";
import { ANYTHING, type CelRule, type Schema, type ValueRules } from "../schema/schema.ts";

/** Parts of a schema that are read before others have a turn. */
const TURN = 2000;

/** `apiextensions/v1.JSONSchemaProps` as a schema. Unknown keywords are no part of it. */
export const fromJsonSchema = (props: Json | undefined): Schema => atOnce(schemaInTurns(props));

/** `fromJsonSchema`, which gives way now and then. */
export function* schemaInTurns(props: Json | undefined, pace = { left: TURN }): Turns<Schema> {
  if (!isObject(props)) return ANYTHING;
  if (pace.left-- <= 0) {
    pace.left = TURN;
    yield undefined;
  }
  const { properties, additionalProperties, items } = props;
  const type = textAt(props, "type");
  const rules = rulesOf(props);
  const listKeys = listAt(props, "x-kubernetes-list-map-keys").map((key) => textAt(key));
  const required = listAt(props, "required").map((field) => textAt(field));
  const listType = textAt(props, "x-kubernetes-list-type");
  return {
    ...(type === "" ? {} : { type: type as NonNullable<Schema["type"]> }),
    ...optional("format", textAt(props, "format")),
    ...optional("description", textAt(props, "description")),
    ...(isObject(properties) ? { properties: yield* propertiesOf(properties, pace) } : {}),
    ...(isObject(additionalProperties) ? { additional: yield* schemaInTurns(additionalProperties, pace) } : {}),
    ...(additionalProperties === true ? { additional: ANYTHING } : {}),
    ...(items === undefined ? {} : { items: yield* schemaInTurns(items, pace) }),
    ...(required.length === 0 ? {} : { required }),
    ...(props["default"] === undefined ? {} : { default: props["default"] }),
    ...(props["nullable"] === true ? { nullable: true } : {}),
    ...(props["x-kubernetes-int-or-string"] === true ? { intOrString: true } : {}),
    ...(props["x-kubernetes-preserve-unknown-fields"] === true ? { preserveUnknown: true } : {}),
    ...(props["x-kubernetes-embedded-resource"] === true ? { embedded: true } : {}),
    ...(listType === "" ? {} : { listType: listType as NonNullable<Schema["listType"]> }),
    ...(listKeys.length === 0 ? {} : { listKeys }),
    ...(props["x-kubernetes-map-type"] === "atomic" ? { mapType: "atomic" as const } : {}),
    ...(Object.keys(rules).length === 0 ? {} : { rules }),
    ...celRules(listAt(props, "x-kubernetes-validations")),
  };
}

function celRules(rules: readonly Json[]): Pick<Schema, "celRules"> {
  if (rules.length === 0) return {};
  return {
    celRules: rules.map(
      (rule): CelRule => ({
        rule: textAt(rule, "rule"),
        ...optional("message", textAt(rule, "message")),
        ...optional("messageExpression", textAt(rule, "messageExpression")),
        ...optional("reason", textAt(rule, "reason")),
        ...optional("fieldPath", textAt(rule, "fieldPath")),
        ...(valueAt(rule, "optionalOldSelf") === true ? { optionalOldSelf: true } : {}),
      }),
    ),
  };
}

const optional = (name: string, text: string): object => (text === "" ? {} : { [name]: text });

function* propertiesOf(properties: JsonObject, pace: { left: number }): Turns<ReadonlyMap<string, Schema>> {
  const schemas = new Map<string, Schema>();
  for (const [field, below] of Object.entries(properties)) schemas.set(field, yield* schemaInTurns(below, pace));
  return schemas;
}

const PLAIN = [
  "enum",
  "pattern",
  "minLength",
  "maxLength",
  "minimum",
  "maximum",
  "exclusiveMinimum",
  "exclusiveMaximum",
  "multipleOf",
  "minItems",
  "maxItems",
  "uniqueItems",
  "minProperties",
  "maxProperties",
] as const;

function rulesOf(props: JsonObject): ValueRules {
  const rules: Record<string, unknown> = {};
  for (const name of PLAIN) if (props[name] !== undefined) rules[name] = props[name];
  for (const name of ["allOf", "anyOf", "oneOf"]) {
    const list = props[name];
    if (Array.isArray(list) && list.length > 0) rules[name] = list.map(fromJsonSchema);
  }
  // Only int-or-string writes its two types so: they are known already.
  if (props["x-kubernetes-int-or-string"] === true) delete rules["anyOf"];
  if (props["not"] !== undefined) rules["not"] = fromJsonSchema(props["not"]);
  return rules;
}
