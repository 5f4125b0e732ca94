import { isObject, type Json, type JsonObject, parseJson } from "@boxship/api";
import { toJson } from "@boxship/template";
import { type Dict, getKey, isDict, textOf } from "../functions/go-values.ts";
import type { Dependency, Metadata } from "./chart.ts";
import { readDependencies } from "./metadata.ts";

const TEXTS = ["home", "description", "icon", "condition", "tags", "appVersion", "kubeVersion", "type"] as const;

const text = (value: unknown): string => (value === undefined || value === null ? "" : textOf(value));
const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? (value as readonly unknown[]) : []);
const isTrue = (value: unknown): boolean => value === true || value === "true";

/** Without what is empty: so Go leaves out fields. */
function filled(fields: Readonly<Record<string, Json>>): JsonObject {
  const isEmpty = (value: Json): boolean =>
    value === "" ||
    value === false ||
    (Array.isArray(value) && value.length === 0) ||
    (isObject(value) && Object.keys(value).length === 0);
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => !isEmpty(value)));
}

const dependency = ({ name, version, repository, importValues, ...more }: Dependency): JsonObject => ({
  name,
  ...filled({ version }),
  repository,
  ...filled({
    condition: more.condition,
    tags: [...more.tags],
    "import-values": parseJson(toJson(importValues)),
    alias: more.alias,
  }),
});

/**
 * `Chart.yaml` as Helm keeps it in releases: the fields that it knows, each of its type. A number in place of a text, which
 * YAML makes of `appVersion: 1.16`, would make a release that Helm cannot read.
 */
export function storedMetadata({ raw, name, version, apiVersion, dependencies }: Metadata): JsonObject {
  const annotations = getKey(raw, "annotations");
  const all: Readonly<Record<string, Json>> = {
    name,
    version,
    apiVersion,
    ...Object.fromEntries(TEXTS.map((field) => [field, text(getKey(raw, field))])),
    sources: listOf(getKey(raw, "sources")).map(text),
    keywords: listOf(getKey(raw, "keywords")).map(text),
    maintainers: listOf(getKey(raw, "maintainers"))
      .filter(isDict)
      .map((one) =>
        filled({ name: text(getKey(one, "name")), email: text(getKey(one, "email")), url: text(getKey(one, "url")) }),
      ),
    deprecated: isTrue(getKey(raw, "deprecated")),
    annotations: isDict(annotations)
      ? Object.fromEntries(Object.keys(annotations).map((key) => [key, text(getKey(annotations, key))]))
      : {},
    dependencies: dependencies.map(dependency),
  };
  return filled(all);
}

/** `Chart.lock` as Helm keeps it in releases. */
export function storedLock(lock: Dict): JsonObject {
  const generated = text(getKey(lock, "generated"));
  return {
    // Go reads nothing else as a time.
    generated: Number.isNaN(Date.parse(generated)) ? "0001-01-01T00:00:00Z" : new Date(generated).toISOString(),
    digest: text(getKey(lock, "digest")),
    dependencies: readDependencies(lock).map(dependency),
  };
}
