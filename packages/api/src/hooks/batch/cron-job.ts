import { errorMessage } from "@boxship/base";
import type { KindHooks } from "../../kind/kind.ts";
import { isObject, type Json } from "../../object/json.ts";
import { type KubeObject, textAt, valueAt } from "../../object/kube-object.ts";
import { readSchedule } from "../../schedule/read-schedule.ts";
import { requireZone } from "../../schedule/time-zones.ts";
import { type Findings, findingsOf } from "../../validation/findings.ts";
import { nameWarnings } from "../apps/templates.ts";
import { defaultPodSpec } from "../pod-template.ts";
import { checkJobSpec, jobWarnings } from "./job-spec.ts";

/** Jobs' names end with a time. */
const LONGEST_NAME = 52;

/** @returns what reading it says is wrong */
function failureOf(read: () => unknown): string | undefined {
  try {
    read();
    return undefined;
  } catch (error) {
    return errorMessage(error);
  }
}

/** Zones were a part of schedules once: those that have one keep it. */
function checkSchedule(found: Findings, spec: Json | undefined, old: KubeObject | undefined): void {
  const field = "spec.schedule";
  const schedule = textAt(spec, "schedule");
  if (schedule === "") {
    found.required(field);
    return;
  }
  const wrong = failureOf(() => readSchedule(schedule));
  if (wrong !== undefined) found.invalid(field, schedule, wrong);
  if (!schedule.includes("TZ")) return;
  if (!textAt(old, "spec", "schedule").includes("TZ"))
    found.invalid(field, schedule, "cannot use TZ or CRON_TZ in schedule, use timeZone field instead");
  else if (typeof valueAt(spec, "timeZone") === "string")
    found.invalid(field, schedule, "cannot use both timeZone field and TZ or CRON_TZ in schedule");
}

/** One that was kept before stays: zones come and go. */
function checkZone(found: Findings, spec: Json | undefined, old: KubeObject | undefined): void {
  const field = "spec.timeZone";
  const zone = valueAt(spec, "timeZone");
  if (typeof zone !== "string" || (old !== undefined && zone === valueAt(old, "spec", "timeZone"))) return;
  if (zone === "") {
    found.invalid(field, zone, "timeZone must be nil or non-empty string");
    return;
  }
  const isName = zone
    .split("/")
    .every((part) => part !== "." && part !== ".." && /^(?!-)[-A-Za-z._0-9+]{1,14}$/.test(part));
  if (!isName) {
    found.invalid(field, zone, `unknown time zone ${zone}`);
    return;
  }
  if (zone.toLowerCase() === "local") {
    const why = "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones";
    found.invalid(field, zone, why);
  }
  const wrong = zone === "Local" ? undefined : failureOf(() => requireZone(zone));
  if (wrong !== undefined) found.invalid(field, zone, wrong);
}

function checkTemplate(found: Findings, spec: Json | undefined): void {
  const at = "spec.jobTemplate.spec";
  const template = valueAt(spec, "jobTemplate", "spec");
  checkJobSpec(found, at, template);
  const selector = valueAt(template, "selector");
  if (isObject(selector)) found.invalid(`${at}.selector`, selector, "`selector` will be auto-generated");
  if (valueAt(template, "manualSelector") === true) found.notSupported(`${at}.manualSelector`, true, ["nil", "false"]);
}

function warnings(object: KubeObject, old?: KubeObject): readonly string[] {
  const changed = old === undefined || object.metadata.generation !== old.metadata.generation;
  const zoned = old !== undefined && textAt(object, "spec", "schedule").includes("TZ");
  return [
    ...nameWarnings(object, old),
    ...(changed ? jobWarnings("spec.jobTemplate.spec", valueAt(object, "spec", "jobTemplate", "spec")) : []),
    ...(zoned
      ? [
          "cannot use TZ or CRON_TZ in spec.spec.schedule, use timeZone instead, see https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details",
        ]
      : []),
  ];
}

/** `batch/v1.CronJob` */
export const cronJob: KindHooks = {
  tracksGeneration: true,
  validatesAll: true,
  applyDefaults: (object) => defaultPodSpec(valueAt(object, "spec", "jobTemplate", "spec", "template", "spec")),
  validate: ({ metadata, spec }, old) =>
    findingsOf((found) => {
      checkSchedule(found, spec, old);
      found.atLeastZero("spec.startingDeadlineSeconds", valueAt(spec, "startingDeadlineSeconds"));
      checkZone(found, spec, old);
      const policy = textAt(spec, "concurrencyPolicy");
      if (policy === "") found.required("spec.concurrencyPolicy");
      else found.oneOf("spec.concurrencyPolicy", policy, ["Allow", "Forbid", "Replace"]);
      checkTemplate(found, spec);
      for (const field of ["successfulJobsHistoryLimit", "failedJobsHistoryLimit"])
        found.atLeastZero(`spec.${field}`, valueAt(spec, field));
      const { name = "" } = metadata;
      if (old === undefined && name.length > LONGEST_NAME)
        found.invalid("metadata.name", name, `must be no more than ${LONGEST_NAME} characters`);
    }),
  warnings,
};
