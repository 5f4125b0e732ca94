import { getField, isObject, type Json, type JsonObject, setField } from "../object/json.ts";

/** RFC 7386. @returns a new value that may share with both */
export function applyMergePatch(document: Json, patch: Json): Json {
  if (!isObject(patch)) return patch;
  const result: JsonObject = isObject(document) ? { ...document } : {};
  for (const field of Object.keys(patch)) {
    const value = getField(patch, field);
    if (value === undefined) continue;
    if (value === null) delete result[field];
    else setField(result, field, applyMergePatch(getField(result, field) ?? null, value));
  }
  return result;
}
