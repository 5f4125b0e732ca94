import { isObject, type Json, listAt, textAt } from "@boxship/api";

const OPERATORS: Readonly<Record<string, string>> = { In: "in", NotIn: "notin" };

/** A label selector object (`meta/v1.LabelSelector`, or a map of labels) as the text that queries have. */
export function selectorText(selector: Json | undefined): string {
  if (!isObject(selector)) return typeof selector === "string" ? selector : "";
  const isMap = !("matchLabels" in selector) && !("matchExpressions" in selector);
  const labels = isMap ? selector : selector["matchLabels"];
  const equal = isObject(labels) ? Object.entries(labels).map(([key, value]) => `${key}=${textAt(value)}`) : [];
  const expressions = isMap ? [] : listAt(selector, "matchExpressions").map(expressionText);
  return [...equal.sort(), ...expressions].join(",");
}

function expressionText(expression: Json): string {
  const [key, operator] = [textAt(expression, "key"), textAt(expression, "operator")];
  if (operator === "Exists") return key;
  if (operator === "DoesNotExist") return `!${key}`;
  return `${key} ${OPERATORS[operator] ?? "in"} (${listAt(expression, "values")
    .map((one) => textAt(one))
    .sort()
    .join(",")})`;
}
