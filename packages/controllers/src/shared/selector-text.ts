import type { LabelSelectorObject } from "@boxship/api";

/** A selector as queries have it. */
export function selectorText({ matchLabels = {}, matchExpressions = [] }: LabelSelectorObject): string {
  const equal = Object.entries(matchLabels).map(([key, value]) => `${key}=${value}`);
  const more = matchExpressions.map(({ key, operator, values = [] }) => {
    if (operator === "Exists") return key;
    if (operator === "DoesNotExist") return `!${key}`;
    return `${key} ${operator === "In" ? "in" : "notin"} (${values.join(",")})`;
  });
  return [...equal, ...more].join(",");
}

/** `?name=…` of the selectors that there are. */
export function labelQuery(selectors: Readonly<Record<string, LabelSelectorObject | string | undefined>>): string {
  const query = new URLSearchParams();
  for (const [name, selector] of Object.entries(selectors)) {
    if (selector !== undefined) query.set(name, typeof selector === "string" ? selector : selectorText(selector));
  }
  return query.size === 0 ? "" : `?${query.toString()}`;
}
