import { isObject, type Json } from "../object/json.ts";
import { type KubeObject, listAt, textAt, valueAt } from "../object/kube-object.ts";
import { propertiesOf } from "./validate-structure.ts";

/** Formats of texts that upstream knows in 1.36, without hyphens. */
const TEXTS = new Set(
  (
    "bsonobjectid uri email hostname ipv4 ipv6 cidr mac uuid uuid3 uuid4 uuid5 isbn isbn10 isbn13 creditcard ssn hexcolor " +
    "rgbcolor byte password date duration datetime k8sshortname k8slongname"
  ).split(" "),
);

function isKnown(type: string, format: string): boolean {
  if (type === "" || type === "string") return TEXTS.has(format.replaceAll("-", ""));
  if (type === "integer") return format === "int32" || format === "int64";
  return type === "number" && (format === "float" || format === "double");
}

function collect(schema: Json | undefined, found: Set<string>): void {
  if (schema === undefined || !isObject(schema)) return;
  const format = textAt(schema, "format");
  if (format !== "" && !isKnown(textAt(schema, "type"), format)) found.add(format);
  collect(schema["items"], found);
  for (const junctor of ["allOf", "anyOf", "oneOf"]) for (const one of listAt(schema, junctor)) collect(one, found);
  collect(schema["not"], found);
  for (const [, below] of propertiesOf(schema)) collect(below, found);
  collect(schema["additionalProperties"], found);
}

function unknownFormats(crd: KubeObject | undefined): ReadonlySet<string> {
  const found = new Set<string>();
  for (const version of listAt(crd, "spec", "versions")) collect(valueAt(version, "schema", "openAPIV3Schema"), found);
  return found;
}

/** Formats in a definition's schemas that nobody checks, but for those that it had before. */
export function formatWarnings(crd: KubeObject, old?: KubeObject): readonly string[] {
  const before = unknownFormats(old);
  return [...unknownFormats(crd)]
    .filter((format) => !before.has(format))
    .map((format) => `unrecognized format ${JSON.stringify(format)}`);
}
