import type { Json } from "../object/json.ts";
import { textAt, valueAt } from "../object/kube-object.ts";
import type { Findings } from "./findings.ts";
import { qualifiedName } from "./names.ts";

const REASON = /^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$/;
const REASON_HELP =
  "a condition reason must start with alphabetic character, optionally followed by a string of alphanumeric characters or '_,:', and must end with an alphanumeric character or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName',  or 'ReasonA,ReasonB',  or 'ReasonA:ReasonB', regex used for validation is '[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?')";

/** `meta/v1.Condition`, a list of them. */
export function checkConditions(found: Findings, field: string, conditions: readonly Json[]): void {
  const seen = new Set<string>();
  for (const [index, condition] of conditions.entries()) {
    const at = `${field}[${index}]`;
    const [type, reason] = [textAt(condition, "type"), textAt(condition, "reason")];
    if (seen.has(type)) found.duplicate(`${at}.type`, type);
    seen.add(type);
    found.name(qualifiedName, `${at}.type`, type);
    found.oneOf(`${at}.status`, textAt(condition, "status"), ["False", "True", "Unknown"]);
    const observed = valueAt(condition, "observedGeneration");
    if (typeof observed === "number" && observed < 0)
      found.invalid(`${at}.observedGeneration`, observed, "must be greater than or equal to zero");
    if (textAt(condition, "lastTransitionTime") === "") found.required(`${at}.lastTransitionTime`);
    if (reason === "") found.required(`${at}.reason`);
    else if (!REASON.test(reason)) found.invalid(`${at}.reason`, reason, REASON_HELP);
    if (reason.length > 1024) found.tooLong(`${at}.reason`, 1024);
    if (textAt(condition, "message").length > 32 * 1024) found.tooLong(`${at}.message`, 32 * 1024);
  }
}
