import type { LabelSelector, Labels, Requirement } from "./label-selector.ts";

/** `meta/v1.LabelSelector`, as objects have it. An empty one selects everything; none at all selects nothing. */
export type LabelSelectorObject = {
  matchLabels?: { [label: string]: string };
  matchExpressions?: { key: string; operator: string; values?: string[] }[];
};

const OPERATORS: Readonly<Record<string, Requirement["operator"]>> = {
  In: "in",
  NotIn: "notin",
  Exists: "exists",
  DoesNotExist: "absent",
};

/** A selector object as requirements; undefined where there is none, which selects nothing. */
export function selectorOf(selector: LabelSelectorObject | undefined): LabelSelector | undefined {
  if (selector === undefined) return undefined;
  const { matchLabels = {}, matchExpressions = [] } = selector;
  return [
    ...selectorOfMap(matchLabels),
    ...matchExpressions.map(({ key, operator, values = [] }): Requirement => {
      const named = OPERATORS[operator] ?? "in";
      return named === "in" || named === "notin"
        ? { key, operator: named, values: new Set(values) }
        : { key, operator: named === "exists" ? "exists" : "absent" };
    }),
  ];
}

/** Labels that must all be there, as replication controllers and services have them. */
export function selectorOfMap(labels: Labels): LabelSelector {
  return Object.entries(labels).map(([key, value]) => ({ key, operator: "in", values: new Set([value]) }));
}
