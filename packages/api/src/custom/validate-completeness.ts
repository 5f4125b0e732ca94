import { isObject, type JsonObject } from "../object/json.ts";
import { listAt } from "../object/kube-object.ts";
import { type FieldError, MOST_TOLD, required } from "../status/field-error.ts";

/** Where in a schema something is said of a value, and where is said what that value is. */
interface Counterpart {
  /** Undefined where nothing is said. */
  readonly structure: JsonObject | undefined;
  readonly path: string;
}

/** What a schema's `allOf`, `anyOf`, `oneOf` and `not` speak of, which it does not have itself. */
export function completenessErrors(schema: JsonObject, path: string): readonly FieldError[] {
  const errors: FieldError[] = [];
  junctors(schema, { structure: schema, path }, path, errors);
  return errors;
}

const objectAt = (schema: JsonObject | undefined, field: string): JsonObject | undefined => {
  const below = schema?.[field];
  return isObject(below ?? null) ? (below as JsonObject) : undefined;
};

function junctors(said: JsonObject, counterpart: Counterpart, path: string, errors: FieldError[]): void {
  const not = objectAt(said, "not");
  if (not !== undefined) nested(not, counterpart, `${path}.not`, errors);
  for (const junctor of ["allOf", "anyOf", "oneOf"]) {
    for (const [index, one] of listAt(said, junctor).entries())
      if (isObject(one)) nested(one, counterpart, `${path}.${junctor}[${index}]`, errors);
  }
}

function nested(said: JsonObject, counterpart: Counterpart, path: string, errors: FieldError[]): void {
  if (errors.length > MOST_TOLD) return;
  const { structure, path: at } = counterpart;
  if (structure === undefined) {
    errors.push(required(at, `because it is defined in ${path}`));
    return;
  }
  junctors(said, counterpart, path, errors);
  const items = objectAt(said, "items");
  if (items !== undefined)
    nested(items, { structure: objectAt(structure, "items"), path: `${at}.items` }, `${path}.items`, errors);
  const [properties, known] = [objectAt(said, "properties") ?? {}, objectAt(structure, "properties")];
  for (const [name, below] of Object.entries(properties)) {
    const isKnown = known !== undefined && Object.hasOwn(known, name);
    const found = { structure: isKnown ? (objectAt(known, name) ?? {}) : undefined, path: `${at}.properties[${name}]` };
    nested(isObject(below ?? null) ? (below as JsonObject) : {}, found, `${path}.properties[${name}]`, errors);
  }
}
