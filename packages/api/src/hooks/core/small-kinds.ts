import type { KindHooks } from "../../kind/kind.ts";
import { deepEqual, isObject } from "../../object/json.ts";
import { listAt, textAt, valueAt } from "../../object/kube-object.ts";
import { type Findings, findingsOf } from "../../validation/findings.ts";
import { dnsLabel, qualifiedName } from "../../validation/names.ts";
import { oldKeyWarnings } from "../../validation/node-selectors.ts";
import { checkRequirements } from "../../validation/resources.ts";
import { checkTolerations } from "../../validation/tolerations.ts";

/** Above this are the server's own. */
const HIGHEST_PRIORITY = 1_000_000_000;
const SYSTEM = "system-";
const SYSTEM_PRIORITIES: Readonly<Record<string, number>> = {
  "system-cluster-critical": 2_000_000_000,
  "system-node-critical": 2_000_001_000,
};

function systemProblem(name: string, value: number, isDefault: boolean): string | undefined {
  if (!Object.hasOwn(SYSTEM_PRIORITIES, name)) return `${name} is not a known system priority class`;
  if (SYSTEM_PRIORITIES[name] !== value) return `value of ${name} PriorityClass must be ${SYSTEM_PRIORITIES[name]}`;
  return isDefault ? `globalDefault of ${name} PriorityClass must be false` : undefined;
}

export function checkPreemption(found: Findings, field: string, policy: string): void {
  if (policy === "") found.required(field);
  else found.oneOf(field, policy, ["PreemptLowerPriority", "Never"]);
}

/** `scheduling/v1.PriorityClass`: an update is looked at for what it changes alone. */
export const priorityClass: KindHooks = {
  tracksGeneration: true,
  validatesAll: true,
  applyDefaults(object) {
    object["value"] ??= 0;
  },
  validate: (object, old) =>
    findingsOf((found) => {
      const [name, value] = [object.metadata.name ?? "", Number(object["value"] ?? 0)];
      const policy = object["preemptionPolicy"];
      if (old !== undefined) {
        if (value !== Number(old["value"] ?? 0)) found.forbidden("value", "may not be changed in an update.");
        found.immutable("preemptionPolicy", policy, old["preemptionPolicy"]);
        return;
      }
      if (name.startsWith(SYSTEM)) {
        const problem = systemProblem(name, value, object["globalDefault"] === true);
        const reserved = `priority class names with '${SYSTEM}' prefix are reserved for system use only. error: ${problem}`;
        if (problem !== undefined) found.forbidden("metadata.name", reserved);
      } else if (value > HIGHEST_PRIORITY)
        found.forbidden("value", `maximum allowed value of a user defined priority is ${HIGHEST_PRIORITY}`);
      if (typeof policy === "string") checkPreemption(found, "preemptionPolicy", policy);
    }),
};

/** `node/v1.RuntimeClass` */
export const runtimeClass: KindHooks = {
  validatesAll: true,
  validate: (object, old) =>
    findingsOf((found) => {
      const handler = textAt(object, "handler");
      found.requiredName(dnsLabel, "handler", handler);
      const [overhead, scheduling] = [object["overhead"], object["scheduling"]];
      if (isObject(overhead)) checkRequirements(found, "overhead", { limits: overhead["podFixed"] ?? {} });
      if (isObject(scheduling)) {
        found.labels("scheduling.nodeSelector", scheduling["nodeSelector"]);
        const tolerations = listAt(scheduling, "tolerations");
        checkTolerations(found, "scheduling.tolerations", tolerations);
        const keys = tolerations.map((one) =>
          JSON.stringify(["key", "operator", "value", "effect"].map((field) => textAt(one, field))),
        );
        for (const [index, key] of keys.entries())
          if (keys.indexOf(key) !== index) found.duplicate(`scheduling.tolerations[${index}]`, tolerations[index]);
      }
      if (old !== undefined) found.immutable("handler", handler, textAt(old, "handler"));
    }),
  warnings: (object) => oldKeyWarnings(valueAt(object, "scheduling", "nodeSelector"), () => "scheduling.nodeSelector"),
};

const STRATEGIES = ["OldestEmulationVersion"];

/** `coordination/v1.Lease` */
export const lease: KindHooks = {
  validatesAll: true,
  prepareCreate: ({ spec }) => dropElection(spec, undefined),
  prepareUpdate: ({ spec }, old) => dropElection(spec, old["spec"]),
  validate: ({ spec }) =>
    findingsOf((found) => {
      const [seconds, changes] = [valueAt(spec, "leaseDurationSeconds"), valueAt(spec, "leaseTransitions")];
      if (typeof seconds === "number" && seconds <= 0)
        found.invalid("spec.leaseDurationSeconds", seconds, "must be greater than 0");
      found.atLeastZero("spec.leaseTransitions", changes);
      const strategy = valueAt(spec, "strategy");
      if (typeof strategy === "string") {
        const field = "spec.strategy.strategy";
        if (strategy.includes("/")) found.name(qualifiedName, field, strategy);
        else found.oneOf(field, strategy, STRATEGIES);
      }
      if (textAt(spec, "preferredHolder") !== "" && textAt(spec, "strategy") === "")
        found.forbidden("spec.preferredHolder", "may only be specified if `strategy` is defined");
    }),
};

/** Fields of a feature that is off unless it is asked for. */
function dropElection(spec: unknown, before: unknown): void {
  if (!isObject(spec)) return;
  for (const field of ["strategy", "preferredHolder"])
    if (!isObject(before) || (before[field] ?? null) === null) delete spec[field];
}

/** `apps/v1.ControllerRevision` */
export const controllerRevision: KindHooks = {
  validatesAll: true,
  validate: (object, old) =>
    findingsOf((found) => {
      const data = object["data"];
      const revision = Number(object["revision"] ?? 0);
      found.atLeastZero("revision", revision);
      if (old !== undefined) {
        if (!deepEqual(data ?? null, old["data"] ?? null)) found.immutable("data", data, old["data"]);
      } else if (data === undefined || data === null) found.required("data", "data is mandatory");
      else if (!isObject(data)) found.required("data", "data must be a valid JSON object");
    }),
};
