import { deepEqual, isObject, type Json, type JsonObject } from "../../object/json.ts";
import { type KubeObject, listAt, textAt, valueAt } from "../../object/kube-object.ts";
import { type Findings, findingsOf } from "../../validation/findings.ts";
import { dnsLabel } from "../../validation/names.ts";
import { checkSelector, type SelectorOptions, selectorHolds } from "../../validation/selectors.ts";
import { defaultPodSpec } from "../pod-template.ts";
import { validatePodTemplate } from "../pods/pod-rules.ts";
import { podWarnings } from "../pods/pod-warnings.ts";

/** The object's spec, which is there from now on. */
export function specOf(object: KubeObject): JsonObject {
  if (!isObject(object["spec"])) object["spec"] = {};
  return object["spec"];
}

export const defaultTemplate = (object: KubeObject): void =>
  defaultPodSpec(valueAt(object, "spec", "template", "spec"));

/** Fills in what a strategy of a type has where nothing else is said. */
export function defaultRolling(object: KubeObject, field: string, defaults: JsonObject): void {
  const strategy = specOf(object)[field];
  if (!isObject(strategy)) return;
  strategy["type"] ??= "RollingUpdate";
  if (strategy["type"] !== "RollingUpdate") return;
  const own = isObject(strategy["rollingUpdate"]) ? strategy["rollingUpdate"] : {};
  strategy["rollingUpdate"] = { ...defaults, ...own };
}

/**
 * The selector of a workload: it must be there and say something.
 *
 * @returns whether it is one at all
 */
export function checkOwnSelector(
  found: Findings,
  selector: Json | undefined,
  owner: string,
  options?: SelectorOptions,
): boolean {
  if (!isObject(selector)) {
    found.required("spec.selector");
    return true;
  }
  const wrong = findingsOf((own) => checkSelector(own, "spec.selector", selector, options));
  found.add(...wrong);
  if (isEmptySelector(selector)) found.invalid("spec.selector", selector, `empty selector is invalid for ${owner}`);
  return wrong.length === 0;
}

export const isEmptySelector = (selector: Json | undefined): boolean =>
  Object.keys(valueAt(selector, "matchLabels") ?? {}).length + listAt(selector, "matchExpressions").length === 0;

/** @param at of the template */
export function checkMatch(found: Findings, selector: Json | undefined, template: Json | undefined): void {
  const labels = valueAt(template, "metadata", "labels");
  if (isObject(selector) && selectorHolds(selector, isObject(labels) ? labels : {})) return;
  found.invalid("spec.template.metadata.labels", labels ?? null, "`selector` does not match template `labels`");
}

/** What pods that are started again and again cannot have. @param owner as it is printed */
export function checkLastingTemplate(found: Findings, template: Json | undefined, owner: string): void {
  const policy = valueAt(template, "spec", "restartPolicy") ?? "Always";
  if (policy !== "Always") found.notSupported("spec.template.spec.restartPolicy", policy, ["Always"]);
  if (typeof valueAt(template, "spec", "activeDeadlineSeconds") === "number") {
    const why = `activeDeadlineSeconds in ${owner} is not Supported`;
    found.forbidden("spec.template.spec.activeDeadlineSeconds", why);
  }
}

/** The selector and the template of a Deployment or a ReplicaSet. */
export function checkReplicated(found: Findings, spec: Json | undefined): void {
  const [selector, template] = [valueAt(spec, "selector"), valueAt(spec, "template")];
  if (!checkOwnSelector(found, selector, "deployment")) {
    found.invalid("spec.selector", selector, "invalid label selector");
    return;
  }
  if (!isObject(selector) || !isEmptySelector(selector)) checkMatch(found, selector, template);
  found.add(...validatePodTemplate(template, "spec.template"));
  checkLastingTemplate(found, template, "ReplicaSet");
}

/**
 * Numbers of a status: none is below zero, nor above how many there are.
 *
 * @param parts which are some of `replicas`, and which of them may not be more than are ready
 */
export function checkCounts(
  found: Findings,
  status: Json | undefined,
  fields: readonly string[],
  parts: readonly string[],
  ready = "readyReplicas",
): void {
  const count = (field: string): number => Number(valueAt(status, field) ?? 0);
  for (const field of fields) found.atLeastZero(`status.${field}`, valueAt(status, field));
  for (const field of parts) {
    if (count(field) > count("replicas"))
      found.invalid(`status.${field}`, count(field), "cannot be greater than status.replicas");
  }
  if (parts.length > 0 && count("availableReplicas") > count("readyReplicas"))
    found.invalid("status.availableReplicas", count("availableReplicas"), `cannot be greater than ${ready}`);
}

/** Hashes that have met never meet less often. */
export function checkCollisions(found: Findings, { status }: KubeObject, old: KubeObject): void {
  const [now, before] = [valueAt(status, "collisionCount"), valueAt(old, "status", "collisionCount")];
  if (typeof before !== "number" || (typeof now === "number" && now >= before)) return;
  found.invalid("status.collisionCount", now ?? 0, "cannot be decremented");
}

const warningsOf = ({ spec }: KubeObject): readonly string[] => {
  const template = valueAt(spec, "template");
  return podWarnings("spec.template.", valueAt(template, "metadata"), valueAt(template, "spec"));
};

/** Of the template of a new object, and of one whose spec has changed. */
export const templateWarnings = (object: KubeObject, old?: KubeObject): readonly string[] =>
  old !== undefined && object.metadata.generation === old.metadata.generation ? [] : warningsOf(object);

/** Of the template, where it is new or another one. */
export const newTemplateWarnings = (object: KubeObject, old?: KubeObject): readonly string[] =>
  old !== undefined && deepEqual(valueAt(object, "spec", "template") ?? null, valueAt(old, "spec", "template") ?? null)
    ? []
    : warningsOf(object);

/** A workload's name is a part of its pods' names. */
export function nameWarnings({ metadata }: KubeObject, old?: KubeObject): readonly string[] {
  const problems = old === undefined ? dnsLabel(metadata.name ?? "") : [];
  if (problems.length === 0) return [];
  return [
    `metadata.name: this is used in Pod names and hostnames, which can result in surprising behavior; a DNS label is recommended: [${problems.join(" ")}]`,
  ];
}

/** A strategy as messages print it. @param fields of what it says of rolling updates */
export function printedStrategy(strategy: Json | undefined, fields: readonly string[]): JsonObject {
  const rolling = valueAt(strategy, "rollingUpdate");
  const shown = fields.map((field): [string, Json] => [
    `${field.charAt(0).toUpperCase()}${field.slice(1)}`,
    valueAt(rolling, field) ?? null,
  ]);
  return { Type: textAt(strategy, "type"), RollingUpdate: isObject(rolling) ? Object.fromEntries(shown) : null };
}

/** A number of pods or a part of them as a number; what is neither is none. */
export function amountOf(value: Json | undefined): number {
  if (typeof value === "number") return value;
  return typeof value === "string" && /^[0-9]+%?$/.test(value) ? Number.parseInt(value, 10) : 0;
}
