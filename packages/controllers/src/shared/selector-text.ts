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

/** A selector as Go prints it, which upstream's events and reasons have. */
export function selectorInGo(selector: LabelSelectorObject | undefined): string {
  if (selector === undefined) return "nil";
  const { matchLabels = {}, matchExpressions = [] } = selector;
  const labels = Object.keys(matchLabels).sort();
  const equal = labels.map((key) => `${key}: ${matchLabels[key]},`).join("");
  const more = matchExpressions.map(
    ({ key, operator, values = [] }) =>
      `LabelSelectorRequirement{Key:${key},Operator:${operator},Values:[${values.join(" ")}],},`,
  );
  return `&LabelSelector{MatchLabels:map[string]string{${equal}},MatchExpressions:[]LabelSelectorRequirement{${more.join("")}},}`;
}

/** `?name=…` of the selectors that there are. */
export function labelQuery(selectors: Readonly<Record<string, LabelSelectorObject | string | undefined>>): string {
  const query = new URLSearchParams();
  for (const [name, selector] of Object.entries(selectors)) {
    if (selector !== undefined) query.set(name, typeof selector === "string" ? selector : selectorText(selector));
  }
  return query.size === 0 ? "" : `?${query.toString()}`;
}
