import type { Json } from "../object/json.ts";
import { textAt, valueAt } from "../object/kube-object.ts";
import type { Findings } from "./findings.ts";
import { labelValue, qualifiedName } from "./names.ts";

const EFFECTS = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

export function checkTaintEffect(found: Findings, field: string, effect: string, mayBeEmpty: boolean): void {
  if (effect !== "") found.oneOf(field, effect, EFFECTS);
  else if (!mayBeEmpty) found.required(field);
}

/** `core/v1.Toleration`, a list of them. */
export function checkTolerations(found: Findings, field: string, tolerations: readonly Json[]): void {
  for (const [index, one] of tolerations.entries()) {
    const at = `${field}[${index}]`;
    const [key, operator] = [textAt(one, "key"), textAt(one, "operator")];
    const [value, effect] = [textAt(one, "value"), textAt(one, "effect")];
    if (key !== "") found.name(qualifiedName, `${at}.key`, key);
    else if (operator !== "Exists") {
      const why = 'operator must be Exists when `key` is empty, which means "match all values and all keys"';
      found.invalid(`${at}.operator`, operator, why);
    }
    const hasSeconds = (valueAt(one, "tolerationSeconds") ?? null) !== null;
    if (hasSeconds && effect !== "NoExecute")
      found.invalid(`${at}.effect`, effect, "effect must be 'NoExecute' when `tolerationSeconds` is set");
    checkOperator(found, `${at}.operator`, operator, value);
    checkTaintEffect(found, `${at}.effect`, effect, true);
  }
}

function checkOperator(found: Findings, field: string, operator: string, value: string): void {
  switch (operator) {
    case "":
    case "Equal": {
      const problems = labelValue(value);
      if (problems.length > 0) found.invalid(field, value, problems.join(";"));
      return;
    }
    case "Exists":
      if (value !== "") found.invalid(field, value, "value must be empty when `operator` is 'Exists'");
      return;
    case "Lt":
    case "Gt":
      found.notSupported(field, operator, ["Equal", "Exists", "Lt", "Gt"]);
      return;
    default:
      found.notSupported(field, operator, ["Equal", "Exists"]);
  }
}
