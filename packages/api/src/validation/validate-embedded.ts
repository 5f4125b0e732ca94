import { getField, isObject, type JsonObject } from "../object/json.ts";
import type { ObjectMeta } from "../object/kube-object.ts";
import { decode } from "../schema/decode.ts";
import { definition } from "../schema/definitions.ts";
import { type FieldError, invalid, required } from "../status/field-error.ts";
import { checkName, dns1035Label, pathSegment } from "./names.ts";
import { validateMetadata } from "./validate-metadata.ts";

/** What is wrong with what makes a value an object within a custom one: its type and its metadata, in upstream's words. */
export function embeddedErrors(value: JsonObject, path: string): readonly FieldError[] {
  const at = (field: string): string => (path === "" ? field : `${path}.${field}`);
  const errors = [...textErrors(value, "apiVersion", at("apiVersion")), ...textErrors(value, "kind", at("kind"))];
  const metadata = getField(value, "metadata") ?? null;
  if (metadata === null) return errors;
  const { value: decoded, mismatches } = decode(definition("meta.v1.ObjectMeta"), metadata, { dropEmpty: true });
  const [wrong] = mismatches;
  if (wrong !== undefined || !isObject(decoded)) {
    const what = wrong === undefined ? "value" : `value of field ${wrong.goField}`;
    return [
      ...errors,
      invalid(at("metadata"), metadata, `json: cannot unmarshal ${what} into Go value of type v1.ObjectMeta`),
    ];
  }
  const { name, generateName, ...rest } = decoded as ObjectMeta;
  const known = { custom: true, group: "", namespaced: rest.namespace !== undefined, resource: "" };
  const object = { apiVersion: "v1", kind: "Embedded", metadata: { ...rest, name: "fakename" } };
  return [
    ...errors,
    ...(name === undefined ? [] : checkName(pathSegment, at("metadata.name"), name)),
    ...(generateName === undefined ? [] : checkName(pathSegment, at("metadata.generateName"), generateName)),
    ...validateMetadata(known, object).map((error) => ({ ...error, field: at(error.field) })),
  ];
}

function textErrors(value: JsonObject, field: string, path: string): readonly FieldError[] {
  const text = getField(value, field);
  if (text === undefined) return [required(path)];
  if (typeof text !== "string") return [invalid(path, text, "must be a string")];
  if (text === "") return [invalid(path, text, "must not be empty")];
  if (field === "apiVersion")
    return text.split("/").length > 2 ? [invalid(path, text, `unexpected GroupVersion string: ${text}`)] : [];
  const problems = dns1035Label(text.toLowerCase());
  if (problems.length === 0) return [];
  return [invalid(path, text, `may have mixed case, but should otherwise match: ${problems.join(",")}`)];
}
