import { isObject, type JsonObject } from "../object/json.ts";
import type { Schema } from "../schema/schema.ts";
import { EMPTIES } from "./empty-values.ts";

/** Always there, though a valid object has something in them. */
const PARTS = ["spec", "template", "jobTemplate"];

/** What a built-in object has before anybody has set anything: nobody is noted for it. */
export function emptyObject({ definition = "", properties }: Schema): JsonObject {
  const object: JsonObject = {};
  for (const [field, empty] of Object.entries(EMPTIES[definition] ?? {})) {
    const below = properties?.get(field);
    object[field] = isObject(empty) && below !== undefined ? emptyObject(below) : empty;
  }
  for (const field of PARTS) {
    const below = properties?.get(field);
    if (below?.definition !== undefined) object[field] ??= emptyObject(below);
  }
  return object;
}
