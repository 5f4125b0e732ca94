import type { Json, JsonObject } from "../object/json.ts";
import { listAt, textAt, valueAt } from "../object/kube-object.ts";
import type { Findings } from "./findings.ts";
import { labelValue, qualifiedName } from "./names.ts";

export interface SelectorOptions {
  /** Values that no label has may be asked for: an object had some before that was forbidden. @default false */
  readonly anyValues?: boolean;
}

/** `meta/v1.LabelSelector`; nothing is said of an absent one. */
export function checkSelector(
  found: Findings,
  field: string,
  selector: Json | undefined,
  { anyValues = false }: SelectorOptions = {},
): void {
  found.labels(`${field}.matchLabels`, valueAt(selector, "matchLabels"));
  for (const [index, requirement] of listAt(selector, "matchExpressions").entries()) {
    const at = `${field}.matchExpressions[${index}]`;
    const operator = textAt(requirement, "operator");
    const values = listAt(requirement, "values").map((value) => textAt(value));
    if (operator === "In" || operator === "NotIn") {
      if (values.length === 0) found.required(`${at}.values`, "must be specified when `operator` is 'In' or 'NotIn'");
    } else if (operator === "Exists" || operator === "DoesNotExist") {
      if (values.length > 0)
        found.forbidden(`${at}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
    } else found.invalid(`${at}.operator`, operator, "not a valid selector operator");
    found.name(qualifiedName, `${at}.key`, textAt(requirement, "key"));
    if (anyValues) continue;
    for (const [place, value] of values.entries()) found.name(labelValue, `${at}.values[${place}]`, value);
  }
}

/** Whether it asks for values that no label has. */
export const hasInvalidValue = (selector: Json | undefined): boolean =>
  listAt(selector, "matchExpressions").some((one) =>
    listAt(one, "values").some((value) => labelValue(textAt(value)).length > 0),
  );

/** Whether labels are what a selector, right by itself, asks for. */
export function selectorHolds(selector: JsonObject, labels: JsonObject): boolean {
  const equal = Object.entries((selector["matchLabels"] ?? {}) as JsonObject).every(
    ([key, value]) => labels[key] === value,
  );
  return (
    equal &&
    listAt(selector, "matchExpressions").every((one) => {
      const value = labels[textAt(one, "key")];
      const values = listAt(one, "values");
      switch (textAt(one, "operator")) {
        case "In":
          return value !== undefined && values.includes(value);
        case "NotIn":
          return value === undefined || !values.includes(value);
        case "Exists":
          return value !== undefined;
        default:
          return value === undefined;
      }
    })
  );
}
