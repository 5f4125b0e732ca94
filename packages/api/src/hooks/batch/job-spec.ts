import { isObject, type Json } from "../../object/json.ts";
import { textAt, valueAt } from "../../object/kube-object.ts";
import type { Findings } from "../../validation/findings.ts";
import { domainPath } from "../../validation/names.ts";
import { validatePodTemplate } from "../pods/pod-rules.ts";
import { podWarnings } from "../pods/pod-warnings.ts";
import { checkFailurePolicy, checkSuccessPolicy } from "./job-policies.ts";

/** Of one with that many completions not every index can be told apart. */
const MANY = 100_000;
const MOST_WITH_MANY = 10_000;
const MANAGER_BYTES = 63;
const NUMBERS = [
  "parallelism",
  "completions",
  "activeDeadlineSeconds",
  "backoffLimit",
  "ttlSecondsAfterFinished",
  "backoffLimitPerIndex",
  "maxFailedIndexes",
];

const numberAt = (spec: Json | undefined, field: string): number | undefined => {
  const value = valueAt(spec, field);
  return typeof value === "number" ? value : undefined;
};

export const isIndexed = (spec: Json | undefined): boolean => textAt(spec, "completionMode") === "Indexed";

function checkIndexed(found: Findings, at: string, spec: Json | undefined): void {
  const [completions, parallelism, failed, backoff] = [
    "completions",
    "parallelism",
    "maxFailedIndexes",
    "backoffLimitPerIndex",
  ].map((field) => numberAt(spec, field));
  if (completions === undefined) found.required(`${at}.completions`, "when completion mode is Indexed");
  if (parallelism !== undefined && parallelism > MANY) {
    const why = `must be less than or equal to ${MANY} when completion mode is Indexed`;
    found.invalid(`${at}.parallelism`, parallelism, why);
  }
  if (failed !== undefined && completions !== undefined && failed > completions)
    found.invalid(`${at}.maxFailedIndexes`, failed, "must be less than or equal to completions");
  if (failed !== undefined && failed > MANY)
    found.invalid(`${at}.maxFailedIndexes`, failed, `must be less than or equal to ${MANY}`);
  if (completions === undefined || completions <= MANY || backoff === undefined) return;
  const why = `must be less than or equal to ${MOST_WITH_MANY} when completions are above ${MANY} and used with backoff limit per index`;
  if (failed === undefined)
    found.required(`${at}.maxFailedIndexes`, `must be specified when completions is above ${MANY}`);
  if (parallelism !== undefined && parallelism > MOST_WITH_MANY) found.invalid(`${at}.parallelism`, parallelism, why);
  if (failed !== undefined && failed > MOST_WITH_MANY) found.invalid(`${at}.maxFailedIndexes`, failed, why);
}

function checkModes(found: Findings, at: string, spec: Json | undefined): void {
  const mode = valueAt(spec, "completionMode") ?? "NonIndexed";
  if (mode !== "NonIndexed" && mode !== "Indexed")
    found.notSupported(`${at}.completionMode`, mode, ["NonIndexed", "Indexed"]);
  if (mode === "Indexed") checkIndexed(found, at, spec);
  if (mode === "NonIndexed") {
    for (const field of ["backoffLimitPerIndex", "maxFailedIndexes"]) {
      const value = numberAt(spec, field);
      if (value !== undefined) found.invalid(`${at}.${field}`, value, "requires indexed completion mode");
    }
  }
  if (isObject(valueAt(spec, "podFailurePolicy"))) checkFailurePolicy(found, `${at}.podFailurePolicy`, spec);
  const success = valueAt(spec, "successPolicy");
  if (!isObject(success)) return;
  if (mode === "Indexed") checkSuccessPolicy(found, `${at}.successPolicy`, spec);
  else found.invalid(`${at}.successPolicy`, success, "requires indexed completion mode");
}

function checkRestart(found: Findings, at: string, spec: Json | undefined): void {
  const field = `${at}.template.spec.restartPolicy`;
  const policy = textAt(spec, "template", "spec", "restartPolicy");
  if (policy === "Always" || policy === "") found.required(field, 'valid values: "OnFailure", "Never"');
  else if (policy !== "OnFailure" && policy !== "Never") found.notSupported(field, policy, ["OnFailure", "Never"]);
  else if (policy === "OnFailure" && isObject(valueAt(spec, "podFailurePolicy")))
    found.invalid(field, policy, 'only "Never" is supported when podFailurePolicy is specified');
}

/** What a job and the template of one have in common. @param at e.g. `spec.jobTemplate.spec` */
export function checkJobSpec(found: Findings, at: string, spec: Json | undefined): void {
  for (const field of NUMBERS) found.atLeastZero(`${at}.${field}`, valueAt(spec, field));
  if (numberAt(spec, "maxFailedIndexes") !== undefined && numberAt(spec, "backoffLimitPerIndex") === undefined)
    found.required(`${at}.backoffLimitPerIndex`, "when maxFailedIndexes is specified");
  const manager = valueAt(spec, "managedBy");
  if (typeof manager === "string") {
    if (manager === "") found.required(`${at}.managedBy`);
    else domainPath(manager, (part, why) => found.invalid(`${at}.managedBy`, part, why));
    if (Buffer.byteLength(manager) > MANAGER_BYTES) found.tooLong(`${at}.managedBy`, MANAGER_BYTES);
  }
  checkModes(found, at, spec);
  const replacement = valueAt(spec, "podReplacementPolicy");
  const choices = isObject(valueAt(spec, "podFailurePolicy")) ? ["Failed"] : ["Failed", "TerminatingOrFailed"];
  found.oneOf(`${at}.podReplacementPolicy`, replacement, choices);
  found.add(...validatePodTemplate(valueAt(spec, "template"), `${at}.template`));
  checkRestart(found, at, spec);
}

/** @param at e.g. `spec` */
export function jobWarnings(at: string, spec: Json | undefined): readonly string[] {
  const isLarge =
    isIndexed(spec) &&
    (numberAt(spec, "completions") ?? 0) > MANY &&
    (numberAt(spec, "parallelism") ?? 0) > MOST_WITH_MANY;
  const template = valueAt(spec, "template");
  return [
    ...(isLarge
      ? [
          `${at}: In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4, Kubernetes might not be able to track completedIndexes when a big number of indexes fail`,
        ]
      : []),
    ...podWarnings(`${at}.template.`, valueAt(template, "metadata"), valueAt(template, "spec")),
  ];
}
