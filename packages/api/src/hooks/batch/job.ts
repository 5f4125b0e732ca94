import type { KindHooks } from "../../kind/kind.ts";
import { deepCopy, isObject, type Json, type JsonObject } from "../../object/json.ts";
import { type KubeObject, listAt, textAt, valueAt } from "../../object/kube-object.ts";
import { type Findings, findingsOf } from "../../validation/findings.ts";
import { dnsLabel } from "../../validation/names.ts";
import { checkSelector, hasInvalidValue, selectorHolds } from "../../validation/selectors.ts";
import { checkMatch, defaultTemplate, nameWarnings, specOf } from "../apps/templates.ts";
import { checkJobSpec, isIndexed, jobWarnings } from "./job-spec.ts";
import { checkJobStatus, isTrue } from "./job-status.ts";

const CONTROLLER_UID = "batch.kubernetes.io/controller-uid";
const JOB_NAME = "batch.kubernetes.io/job-name";
const UNLIMITED = 2 ** 31 - 1;

/** Labels that the server gives to the pods of a job, whose selector asks for them. */
const generated = ({ metadata }: KubeObject, prefixed: boolean): Record<string, string> => {
  const [uid, name] = [metadata.uid ?? "", metadata.name ?? ""];
  return {
    "controller-uid": uid,
    "job-name": name,
    ...(prefixed ? { [CONTROLLER_UID]: uid, [JOB_NAME]: name } : {}),
  };
};

/** What the server has made is as it made it, unless the job's maker said otherwise. */
function checkGenerated(found: Findings, job: KubeObject, prefixed: boolean): void {
  const { metadata, spec } = job;
  const selector = valueAt(spec, "selector");
  if (valueAt(spec, "manualSelector") === true || !isObject(selector)) return;
  if (!metadata.uid) found.required("metadata.uid");
  const wanted = generated(job, prefixed);
  const labels = valueAt(spec, "template", "metadata", "labels");
  for (const [key, value] of Object.entries(wanted)) {
    const field = `spec.template.metadata.labels[${key}]`;
    const own = valueAt(labels, key);
    if (own === undefined) found.required(field, `must be '${value}'`);
    else if (own !== value) found.invalid(field, labels, `must be '${value}'`);
  }
  const isSelector = findingsOf((own) => checkSelector(own, "", selector)).length === 0;
  if (isSelector && !selectorHolds(selector, wanted))
    found.invalid("spec.selector", selector, "`selector` not auto-generated");
}

function checkOwn(found: Findings, job: KubeObject, old: KubeObject | undefined): void {
  const { metadata, spec } = job;
  const before = valueAt(old, "spec", "template", "metadata", "labels");
  const prefixed = old === undefined || [CONTROLLER_UID, JOB_NAME].every((key) => valueAt(before, key) !== undefined);
  checkGenerated(found, job, prefixed);
  checkJobSpec(found, "spec", spec);
  const selector = valueAt(spec, "selector");
  if (isObject(selector)) {
    const anyValues = old !== undefined && hasInvalidValue(valueAt(old, "spec", "selector"));
    checkSelector(found, "spec.selector", selector, { anyValues });
  } else found.required("spec.selector");
  if (findingsOf((own) => checkSelector(own, "", selector)).length === 0)
    checkMatch(found, selector, valueAt(spec, "template"));
  const completions = valueAt(spec, "completions");
  if (!isIndexed(spec) || typeof completions !== "number" || completions <= 0) return;
  const host = `${metadata.name}-${completions - 1}`;
  const why = `will not able to create pod with invalid DNS label: ${host}`;
  if (dnsLabel(host).length > 0) found.invalid("metadata.name", metadata.name, why);
}

const isSuspended = (job: KubeObject): boolean => valueAt(job, "spec", "suspend") === true;

/** Nobody has started its pods, or all have ended since it was suspended. */
function isAtRest(job: KubeObject): boolean {
  const notStarted = (valueAt(job, "status", "startTime") ?? null) === null;
  return (
    isSuspended(job) && (notStarted || isTrue(job, "Suspended")) && Number(valueAt(job, "status", "active") ?? 0) === 0
  );
}

function copy(to: JsonObject, from: Json | undefined, field: string): void {
  const value = valueAt(from, field);
  if (value === undefined) delete to[field];
  else to[field] = value;
}

/** A pod's spec as it was, with what of it may change as it is: where it goes, and what its containers need. */
function changeable(before: JsonObject, now: Json | undefined): JsonObject {
  const own = deepCopy(before);
  const [affinity, nodes] = [own["affinity"], valueAt(now, "affinity", "nodeAffinity")];
  if (isObject(affinity) || isObject(valueAt(now, "affinity"))) {
    const { nodeAffinity: _, ...others } = isObject(affinity) ? affinity : {};
    const isGone = !isObject(valueAt(now, "affinity")) && Object.keys(others).length === 0;
    if (isGone) delete own["affinity"];
    else own["affinity"] = nodes === undefined ? others : { ...others, nodeAffinity: nodes };
  }
  for (const field of ["nodeSelector", "tolerations", "schedulingGates"]) copy(own, now, field);
  for (const list of ["containers", "initContainers"]) {
    const containers = listAt(now, list);
    if (containers.length !== listAt(own, list).length) continue;
    for (const [index, container] of listAt(own, list).entries()) {
      const other = containers[index];
      if (isObject(container) && textAt(container, "name") === textAt(other, "name"))
        copy(container, other, "resources");
    }
  }
  return own;
}

/** A job's template stays, but for where its pods go and what they need while none of them is there. */
function checkTemplateChange(found: Findings, { spec }: KubeObject, old: KubeObject): void {
  const [now, before] = [valueAt(spec, "template"), valueAt(old, "spec", "template")];
  if (!isAtRest(old)) {
    found.immutable("spec.template", now, before);
    return;
  }
  const own = valueAt(before, "spec");
  const wanted = changeable(isObject(own) ? own : {}, valueAt(now, "spec"));
  found.immutable("spec.template.spec", valueAt(now, "spec"), wanted);
}

/** An indexed job's completions and its parallelism change together. */
function checkCompletions(found: Findings, { spec }: KubeObject, old: KubeObject): void {
  const [now, before] = [valueAt(spec, "completions"), valueAt(old, "spec", "completions")];
  if (!isIndexed(spec)) found.immutable("spec.completions", now, before);
  else if (typeof now === "number" && now !== before && now !== valueAt(spec, "parallelism"))
    found.invalid("spec.completions", now, "can only be modified in tandem with spec.parallelism");
}

function checkUpdate(found: Findings, job: KubeObject, old: KubeObject): void {
  const same = (field: string): void =>
    found.immutable(`spec.${field}`, valueAt(job, "spec", field), valueAt(old, "spec", field));
  checkCompletions(found, job, old);
  same("selector");
  checkTemplateChange(found, job, old);
  for (const field of ["completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy", "successPolicy"])
    same(field);
}

/** `batch/v1.Job` */
export const job: KindHooks = {
  tracksGeneration: true,
  validatesAll: true,
  applyDefaults(object) {
    const own = specOf(object);
    // Templates of jobs have none of these.
    own["completionMode"] ??= "NonIndexed";
    own["suspend"] ??= false;
    own["manualSelector"] ??= false;
    if (own["completions"] === undefined && own["parallelism"] === undefined) own["completions"] = 1;
    own["parallelism"] ??= 1;
    own["backoffLimit"] ??= own["backoffLimitPerIndex"] === undefined ? 6 : UNLIMITED;
    own["podReplacementPolicy"] ??= own["podFailurePolicy"] === undefined ? "TerminatingOrFailed" : "Failed";
    for (const rule of listAt(own, "podFailurePolicy", "rules")) {
      for (const pattern of listAt(rule, "onPodConditions")) if (isObject(pattern)) pattern["status"] ??= "True";
    }
    defaultTemplate(object);
  },
  prepareCreate(object) {
    const own = specOf(object);
    if (own["manualSelector"] === true) return;
    const template = (own["template"] ??= {}) as JsonObject;
    const metadata = (template["metadata"] ??= {}) as JsonObject;
    const labels = metadata["labels"];
    metadata["labels"] = { ...generated(object, true), ...(isObject(labels) ? labels : {}) };
    const selector = isObject(own["selector"]) ? own["selector"] : {};
    const matched = isObject(selector["matchLabels"]) ? selector["matchLabels"] : {};
    own["selector"] = { ...selector, matchLabels: { [CONTROLLER_UID]: object.metadata.uid ?? "", ...matched } };
  },
  validate: (object, old) => findingsOf((found) => checkOwn(found, object, old)),
  validateUpdate: (object, old) => findingsOf((found) => checkUpdate(found, object, old)),
  validateStatus: (object, old) => findingsOf((found) => checkJobStatus(found, object, old)),
  warnings: (object, old) => [
    ...nameWarnings(object, old),
    ...(old !== undefined && object.metadata.generation === old.metadata.generation
      ? []
      : jobWarnings("spec", object["spec"])),
  ],
};
