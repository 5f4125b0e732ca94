import { atOnce, type Turns } from "@boxship/base";
import { age } from "../columns/age.ts";
import { AGE, NAME } from "../columns/column.ts";
import type { Column, Conversion, Kind, ScalePaths, Verb } from "../kind/kind.ts";
import { isObject, type Json, type JsonObject } from "../object/json.ts";
import { apiVersionOf, type KubeObject, listAt, textAt, valueAt } from "../object/kube-object.ts";
import { definition } from "../schema/definitions.ts";
import { ANYTHING, type Schema } from "../schema/schema.ts";
import { schemaInTurns } from "./from-json-schema.ts";
import { parseJsonPath } from "./json-path.ts";

const VERBS: ReadonlySet<Verb> = new Set<Verb>([
  "create",
  "delete",
  "deletecollection",
  "get",
  "list",
  "patch",
  "update",
  "watch",
]);

/** The kinds that a CustomResourceDefinition defines: one for each version, or for each that is served. */
export const customKindsOf = (crd: KubeObject, which: "all" | "served"): readonly Kind[] =>
  atOnce(customKindsInTurns(crd, which));

/** `customKindsOf`, which gives way now and then. */
export function* customKindsInTurns(crd: KubeObject, which: "all" | "served"): Turns<readonly Kind[]> {
  const versions = listAt(crd, "spec", "versions");
  const stored = versions.find((one) => valueAt(one, "storage") === true);
  const schemas = new Map<string, Schema>();
  for (const one of versions) {
    const schema = yield* schemaOf(valueAt(one, "schema", "openAPIV3Schema"));
    schemas.set(apiVersionOf({ group: textAt(crd, "spec", "group"), version: textAt(one, "name") }), schema);
  }
  const shared = { storageVersion: textAt(stored, "name"), conversion: conversionOf(crd, schemas) };
  return versions
    .filter((one) => which === "all" || valueAt(one, "served") === true)
    .map((version) => kindOf(crd, version, shared));
}

function conversionOf(crd: KubeObject, schemas: ReadonlyMap<string, Schema>): Conversion {
  const conversion = valueAt(crd, "spec", "conversion");
  if (textAt(conversion, "strategy") !== "Webhook")
    return { schemas, convert: (object, apiVersion) => ({ ...object, apiVersion }) };
  return {
    schemas,
    webhook: {
      clientConfig: valueAt(conversion, "webhook", "clientConfig") ?? {},
      reviewVersions: listAt(conversion, "webhook", "conversionReviewVersions").map((one) => textAt(one)),
    },
  };
}

interface Shared {
  readonly storageVersion: string;
  readonly conversion: Conversion;
}

function kindOf(crd: KubeObject, version: Json, { storageVersion, conversion }: Shared): Kind {
  const group = textAt(crd, "spec", "group");
  const name = (field: string): string => textAt(crd, "spec", "names", field);
  const scale = scaleOf(valueAt(version, "subresources", "scale"));
  const subresources = new Set<string>();
  if (valueAt(version, "subresources", "status") !== undefined) subresources.add("status");
  if (scale !== undefined) subresources.add("scale");
  return {
    group,
    version: textAt(version, "name"),
    kind: name("kind"),
    listKind: name("listKind") || `${name("kind")}List`,
    resource: name("plural"),
    singular: name("singular") || name("kind").toLowerCase(),
    namespaced: textAt(crd, "spec", "scope") === "Namespaced",
    verbs: VERBS,
    shortNames: listAt(crd, "spec", "names", "shortNames").map((one) => textAt(one)),
    categories: listAt(crd, "spec", "names", "categories").map((one) => textAt(one)),
    subresources,
    storageGroup: group,
    storageVersion,
    conversion,
    schema: conversion.schemas.get(apiVersionOf({ group, version: textAt(version, "name") })) ?? ANYTHING,
    custom: true,
    columns: columnsOf(listAt(version, "additionalPrinterColumns")),
    selectableFields: listAt(version, "selectableFields").map((one) => textAt(one, "jsonPath").replace(/^\./, "")),
    ...(scale === undefined ? {} : { scale }),
    hooks: { tracksGeneration: true },
  };
}

/** With the fields that every object has, whether the schema says so or not. */
function* schemaOf(props: Json | undefined): Turns<Schema> {
  const schema = yield* schemaInTurns(props);
  const properties = new Map(schema.properties);
  const text: Schema = { type: "string" };
  properties.set("apiVersion", text).set("kind", text).set("metadata", definition("meta.v1.ObjectMeta"));
  return { ...schema, type: "object", properties };
}

function scaleOf(scale: Json | undefined): ScalePaths | undefined {
  if (!isObject(scale)) return undefined;
  const path = (field: string): readonly string[] =>
    textAt(scale, field)
      .split(".")
      .filter((part) => part !== "");
  const selector = path("labelSelectorPath");
  return {
    specReplicas: path("specReplicasPath"),
    statusReplicas: path("statusReplicasPath"),
    ...(selector.length === 0 ? {} : { selector }),
  };
}

function columnsOf(columns: readonly Json[]): readonly Column[] {
  return columns.length === 0 ? [NAME, AGE] : [NAME, ...columns.filter(isObject).map(columnOf)];
}

function columnOf(column: JsonObject): Column {
  const type = textAt(column, "type") as Column["type"];
  const path = parseJsonPath(textAt(column, "jsonPath"));
  const format = textAt(column, "format");
  return {
    name: textAt(column, "name"),
    type,
    ...(format === "" ? {} : { format }),
    description:
      textAt(column, "description") ||
      `Custom resource definition column (in JSONPath format): ${textAt(column, "jsonPath")}`,
    priority: Number(valueAt(column, "priority") ?? 0),
    cell: (object, now) => cellOf(path?.find(object) ?? [], type, now),
  };
}

function cellOf(found: readonly Json[], type: Column["type"], now: number): Json {
  const [value] = found;
  if (value === undefined || value === null) return null;
  if (type === "date") return age(value, now);
  if (type !== "string") return value;
  if (found.length > 1) return found.map((one) => (typeof one === "string" ? one : JSON.stringify(one))).join(",");
  return typeof value === "string" ? value : JSON.stringify(value);
}
