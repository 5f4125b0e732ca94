import { atOnce, type Turns } from "@boxship/base";
import { age } from "../columns/age.ts";
import { AGE, NAME } from "../columns/column.ts";
import { JsonPathTemplate, jsonPathText } from "../json-path/json-path-template.ts";
import { compareVersions } from "../kind/compare-versions.ts";
import type { Column, Conversion, Kind, ScalePaths, Verb } from "../kind/kind.ts";
import { isBigInteger } from "../object/big-integer.ts";
import { isObject, type Json, type JsonObject } from "../object/json.ts";
import { apiVersionOf, type KubeObject, listAt, textAt, valueAt } from "../object/kube-object.ts";
import { definition } from "../schema/definitions.ts";
import { ANYTHING, type Schema } from "../schema/schema.ts";
import { schemaInTurns } from "./from-json-schema.ts";

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
    deprecation: deprecationOf(crd, version),
    hooks: { tracksGeneration: true },
  };
}

/** In the definition's own words, or in upstream's, which name the best version that is not deprecated. */
function deprecationOf(crd: KubeObject, version: Json): string | undefined {
  if (valueAt(version, "deprecated") !== true) return undefined;
  const own = valueAt(version, "deprecationWarning");
  if (typeof own === "string") return own;
  const [group, kind, name] = [
    textAt(crd, "spec", "group"),
    textAt(crd, "spec", "names", "kind"),
    textAt(version, "name"),
  ];
  const [better] = listAt(crd, "spec", "versions")
    .filter((one) => valueAt(one, "served") === true && valueAt(one, "deprecated") !== true)
    .map((one) => textAt(one, "name"))
    .filter((one) => compareVersions(one, name) < 0)
    .sort(compareVersions);
  return `${group}/${name} ${kind} is deprecated${better === undefined ? "" : `; use ${group}/${better} ${kind}`}`;
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

/** Values that the path of one cell may lead through. */
const MOST_SEEN = 10_000;

/** Up to the first one whose path cannot be read, as upstream shows them. */
function columnsOf(columns: readonly Json[]): readonly Column[] {
  if (columns.length === 0) return [NAME, AGE];
  const shown: Column[] = [NAME];
  for (const column of columns.filter(isObject)) {
    const path = readPath(textAt(column, "jsonPath"));
    if (path === undefined) break;
    shown.push(columnOf(column, path));
  }
  return shown;
}

function readPath(text: string): JsonPathTemplate | undefined {
  try {
    return new JsonPathTemplate(`{${text}}`, { most: MOST_SEEN });
  } catch {
    return undefined;
  }
}

function columnOf(column: JsonObject, path: JsonPathTemplate): Column {
  const type = textAt(column, "type") as Column["type"];
  const format = textAt(column, "format");
  return {
    name: textAt(column, "name"),
    type,
    ...(format === "" ? {} : { format }),
    description:
      textAt(column, "description") ||
      `Custom resource definition column (in JSONPath format): ${textAt(column, "jsonPath")}`,
    priority: Number(valueAt(column, "priority") ?? 0),
    cell: (object, now) => cellOf(firstOf(path, object), type, now),
  };
}

/** Of several values that a path leads to, the first is shown. */
function firstOf(path: JsonPathTemplate, object: KubeObject): Json {
  try {
    return path.find(object)[0]?.[0] ?? null;
  } catch {
    return null;
  }
}

const RFC3339 = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)$/;

/** A value that is not of the column's type is not shown. */
function cellOf(value: Json, type: Column["type"], now: number): Json {
  if (value === null) return null;
  switch (type) {
    case "string":
      return jsonPathText(value);
    case "integer":
      return typeof value === "number" ? Math.trunc(value) : isBigInteger(value) ? value : null;
    case "number":
      return typeof value === "number" || isBigInteger(value) ? value : null;
    case "boolean":
      return typeof value === "boolean" ? value : null;
    case "date":
      if (typeof value !== "string") return null;
      return RFC3339.test(value) && !Number.isNaN(Date.parse(value)) ? age(value, now) : "<invalid>";
  }
}
