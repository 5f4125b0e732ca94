import type { Column } from "../kind/kind.ts";
import type { Json } from "../object/json.ts";
import { type KubeObject, listAt, textAt, valueAt } from "../object/kube-object.ts";
import { age, ageOf } from "./age.ts";

export type Cell = (object: KubeObject, now: number) => Json;

export const NAME: Column = {
  name: "Name",
  type: "string",
  format: "name",
  description: "Name must be unique within a namespace.",
  priority: 0,
  cell: ({ metadata }) => metadata.name ?? "",
};

export const AGE: Column = {
  name: "Age",
  type: "string",
  description: "CreationTimestamp is the time at which the object was created.",
  priority: 0,
  cell: ageOf,
};

export const text = (name: string, cell: Cell): Column => ({
  name,
  type: "string",
  description: name,
  priority: 0,
  cell,
});

export const number = (name: string, cell: Cell): Column => ({ ...text(name, cell), type: "integer" });

/** True where the field at a path is; otherwise what holds where nothing is said. */
export const flag = (name: string, path: string, otherwise = false): Column => ({
  ...text(name, (object) => (valueAt(object, ...path.split(".")) ?? otherwise) === true),
  type: "boolean",
});

/** Shown with `-o wide`. */
export const wide = (name: string, cell: Cell): Column => ({ ...text(name, cell), priority: 1 });

/** The text at a path, or `otherwise`. */
export const at =
  (path: string, otherwise = ""): Cell =>
  (object) =>
    textAt(object, ...path.split(".")) || otherwise;

export const count =
  (path: string): Cell =>
  (object) =>
    Number(valueAt(object, ...path.split(".")) ?? 0);

/** How many fields or items a path has. */
export const sizeOf =
  (path: string): Cell =>
  (object) => {
    const value = valueAt(object, ...path.split("."));
    return typeof value === "object" && value !== null ? Object.keys(value).length : 0;
  };

export const since =
  (path: string): Cell =>
  (object, now) =>
    age(valueAt(object, ...path.split(".")), now);

export const joined = (values: readonly string[], otherwise = "<none>"): string => values.join(",") || otherwise;

const fieldOfEach = (path: readonly string[], field: string) => (object: KubeObject) =>
  joined(
    listAt(object, ...path).map((one) => textAt(one, field)),
    "",
  );

/** Names and images of containers, shown with `-o wide`. */
export const containersAt = (...path: readonly string[]): readonly Column[] => [
  wide("Containers", fieldOfEach(path, "name")),
  wide("Images", fieldOfEach(path, "image")),
];

/** Of a template. */
export const CONTAINERS = containersAt("spec", "template", "spec", "containers");

const OPERATORS: Readonly<Record<string, string>> = { In: "in", NotIn: "notin" };

/** A label selector as people read it. */
export function selectorText(selector: Json | undefined, isMap = false): string {
  if (selector === undefined || selector === null || typeof selector !== "object") return "<none>";
  const labels = isMap ? selector : (valueAt(selector, "matchLabels") ?? {});
  const equal = Object.entries(labels as object).map(([key, value]) => `${key}=${String(value)}`);
  const others = listAt(selector, "matchExpressions").map((one) => {
    const [key, operator] = [textAt(one, "key"), textAt(one, "operator")];
    if (operator === "Exists") return key;
    if (operator === "DoesNotExist") return `!${key}`;
    return `${key} ${OPERATORS[operator] ?? operator} (${listAt(one, "values")
      .map((value) => textAt(value))
      .join(",")})`;
  });
  return joined([...equal.sort(), ...others]);
}

export const SELECTOR: Column = wide("Selector", (object) => selectorText(valueAt(object, "spec", "selector")));
