import {
  anySliceType,
  boolType,
  pointerTo,
  sliceOf,
  stringMapType,
  stringSliceType,
  stringType,
  structOf,
  typed,
  type Value,
} from "@boxship/template";
import type { Chart } from "../chart/chart.ts";
import { type Dict, isDict, textOf } from "../functions/go-values.ts";

const text = (name: string, key: string) => ({ name, key, type: stringType, omitEmpty: true });

const maintainer = pointerTo(
  structOf("chart.Maintainer", [text("Name", "name"), text("Email", "email"), text("URL", "url")]),
);
const dependency = pointerTo(
  structOf("chart.Dependency", [
    text("Name", "name"),
    text("Version", "version"),
    { name: "Repository", key: "repository", type: stringType },
    text("Condition", "condition"),
    { name: "Tags", key: "tags", type: stringSliceType, omitEmpty: true },
    { name: "Enabled", key: "enabled", type: boolType, omitEmpty: true },
    { name: "ImportValues", key: "import-values", type: anySliceType, omitEmpty: true },
    text("Alias", "alias"),
  ]),
);

const metadata = structOf("chart.Metadata", [
  text("Name", "name"),
  text("Home", "home"),
  { name: "Sources", key: "sources", type: stringSliceType, omitEmpty: true },
  text("Version", "version"),
  text("Description", "description"),
  { name: "Keywords", key: "keywords", type: stringSliceType, omitEmpty: true },
  { name: "Maintainers", key: "maintainers", type: sliceOf(maintainer), omitEmpty: true },
  text("Icon", "icon"),
  text("APIVersion", "apiVersion"),
  text("Condition", "condition"),
  text("Tags", "tags"),
  text("AppVersion", "appVersion"),
  { name: "Deprecated", key: "deprecated", type: boolType, omitEmpty: true },
  { name: "Annotations", key: "annotations", type: stringMapType, omitEmpty: true },
  text("KubeVersion", "kubeVersion"),
  { name: "Dependencies", key: "dependencies", type: sliceOf(dependency), omitEmpty: true },
  text("Type", "type"),
  { name: "IsRoot", key: "IsRoot", type: boolType },
]);

/** Fields of text take what YAML reads as something else as its text. */
const asText = (value: unknown): unknown =>
  value === null || value === undefined || Array.isArray(value) || isDict(value) ? value : textOf(value);
const texts = (value: unknown): unknown =>
  Array.isArray(value)
    ? value.map(asText)
    : isDict(value)
      ? Object.fromEntries(Object.entries(value).map(([key, one]) => [key, asText(one)]))
      : value;

/** `.Chart`. */
export function chartValue({ metadata: { raw, ...read } }: Chart, isRoot: boolean): Value {
  const dependencies = read.dependencies.map(({ importValues, ...one }) => ({
    ...one,
    enabled: true,
    "import-values": importValues,
  }));
  return typed(metadata, {
    ...(texts(raw) as Dict),
    ...Object.fromEntries(
      ["keywords", "sources", "annotations"].filter((key) => key in raw).map((key) => [key, texts(raw[key])]),
    ),
    maintainers: read.maintainers.map(texts),
    deprecated: read.deprecated,
    apiVersion: read.apiVersion,
    name: read.name,
    version: read.version,
    appVersion: read.appVersion,
    dependencies,
    IsRoot: isRoot,
  });
}
