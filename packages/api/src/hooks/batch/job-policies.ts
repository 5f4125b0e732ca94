import { isObject, type Json } from "../../object/json.ts";
import { listAt, textAt, valueAt } from "../../object/kube-object.ts";
import type { Findings } from "../../validation/findings.ts";
import { qualifiedName } from "../../validation/names.ts";
import { countIndexes } from "./indexes.ts";

const ACTIONS = ["Count", "FailIndex", "FailJob", "Ignore"];
const OPERATORS = ["In", "NotIn"];
const STATUSES = ["False", "True", "Unknown"];
const MOST = { rules: 20, codes: 255, patterns: 20, bytes: 64 * 1024 } as const;

function checkChoice(found: Findings, field: string, value: string, choices: readonly string[]): void {
  if (value !== "") found.oneOf(field, value, choices);
  else found.required(field, `valid values: [${choices.map((one) => JSON.stringify(one)).join(" ")}]`);
}

function checkCodes(found: Findings, at: string, requirement: Json, containers: ReadonlySet<string>): void {
  const operator = textAt(requirement, "operator");
  checkChoice(found, `${at}.operator`, operator, OPERATORS);
  const name = valueAt(requirement, "containerName");
  if (typeof name === "string" && !containers.has(name)) {
    const why = "must be one of the container or initContainer names in the pod template";
    found.invalid(`${at}.containerName`, name, why);
  }
  const field = `${at}.values`;
  const values = listAt(requirement, "values").map(Number);
  if (values.length === 0) found.invalid(field, valueAt(requirement, "values"), "at least one value is required");
  else if (values.length > MOST.codes) found.tooMany(field, values.length, MOST.codes);
  for (const [index, value] of values.entries()) {
    if (operator === "In" && value === 0)
      found.invalid(`${field}[${index}]`, value, "must not be 0 for the In operator");
    if (values.indexOf(value) < index) found.duplicate(`${field}[${index}]`, value);
  }
  if (values.some((value, index) => index > 0 && (values[index - 1] ?? value) > value))
    found.invalid(field, values, "must be ordered");
}

function checkConditions(found: Findings, at: string, patterns: readonly Json[]): void {
  if (patterns.length > MOST.patterns) found.tooMany(at, patterns.length, MOST.patterns);
  for (const [index, pattern] of patterns.entries()) {
    found.name(qualifiedName, `${at}[${index}].type`, textAt(pattern, "type"));
    checkChoice(found, `${at}[${index}].status`, textAt(pattern, "status"), STATUSES);
  }
}

/** `batch/v1.PodFailurePolicy` @param at of the policy */
export function checkFailurePolicy(found: Findings, at: string, spec: Json | undefined): void {
  const rules = listAt(spec, "podFailurePolicy", "rules");
  if (rules.length > MOST.rules) found.tooMany(`${at}.rules`, rules.length, MOST.rules);
  const containers = new Set(
    ["containers", "initContainers"].flatMap((list) =>
      listAt(spec, "template", "spec", list).map((one) => textAt(one, "name")),
    ),
  );
  for (const [index, rule] of rules.entries()) {
    const here = `${at}.rules[${index}]`;
    const action = textAt(rule, "action");
    if (action !== "FailIndex") checkChoice(found, `${here}.action`, action, ACTIONS);
    else if (typeof valueAt(spec, "backoffLimitPerIndex") !== "number")
      found.invalid(`${here}.action`, action, "requires the backoffLimitPerIndex to be set");
    const [codes, conditions] = [valueAt(rule, "onExitCodes"), listAt(rule, "onPodConditions")];
    if (isObject(codes)) checkCodes(found, `${here}.onExitCodes`, codes, containers);
    checkConditions(found, `${here}.onPodConditions`, conditions);
    const isBoth = isObject(codes) === conditions.length > 0;
    if (!isBoth) continue;
    const which = isObject(codes)
      ? "specifying both OnExitCodes and OnPodConditions is not supported"
      : "specifying one of OnExitCodes and OnPodConditions is required";
    found.invalidUnshown(here, which);
  }
}

/** `batch/v1.SuccessPolicy` of an indexed job @param at of the policy */
export function checkSuccessPolicy(found: Findings, at: string, spec: Json | undefined): void {
  const rules = listAt(spec, "successPolicy", "rules");
  const completions = Number(valueAt(spec, "completions") ?? 0);
  if (rules.length === 0)
    found.required(`${at}.rules`, "at least one rules must be specified when the successPolicy is specified");
  if (rules.length > MOST.rules) found.tooMany(`${at}.rules`, rules.length, MOST.rules);
  for (const [index, rule] of rules.entries()) {
    const here = `${at}.rules[${index}]`;
    const [indexes, count] = [valueAt(rule, "succeededIndexes"), valueAt(rule, "succeededCount")];
    if (typeof indexes !== "string" && typeof count !== "number")
      found.required(here, "at least one of succeededCount or succeededIndexes must be specified");
    let total = 0;
    if (typeof indexes === "string") {
      if (indexes.length > MOST.bytes) found.tooLong(`${here}.succeededIndexes`, MOST.bytes);
      const counted = countIndexes(indexes, completions);
      if (typeof counted === "number") total = counted;
      else found.invalid(`${here}.succeededIndexes`, indexes, `error parsing succeededIndexes: ${counted}`);
    }
    if (typeof count !== "number") continue;
    const field = `${here}.succeededCount`;
    found.atLeastZero(field, count);
    const most = (number: number, of: string): string =>
      `must be less than or equal to ${number} (the number of ${of})`;
    if (count > completions) found.invalid(field, count, most(completions, "specified completions"));
    if (typeof indexes === "string" && count > total)
      found.invalid(field, count, most(total, "indexes in the specified succeededIndexes field"));
  }
}
