import type { KindHooks } from "../kind/kind.ts";
import { deepEqual, isObject, type Json, type JsonObject } from "../object/json.ts";
import { type KubeObject, listAt, textAt, valueAt } from "../object/kube-object.ts";
import { type FieldError, forbiddenField, invalid, notSupported, required } from "../status/field-error.ts";
import { immutable } from "../validation/validate-metadata.ts";
import { defaultPod, defaultPodSpec, oneOf } from "./pod-template.ts";
import { validatePod, validatePodTemplate, validatePodUpdate } from "./pods/pod-rules.ts";
import { podWarnings } from "./pods/pod-warnings.ts";

const spec = (object: KubeObject): JsonObject => {
  if (!isObject(object["spec"])) object["spec"] = {};
  return object["spec"];
};

const defaultTemplate = (object: KubeObject): void => defaultPodSpec(valueAt(object, "spec", "template", "spec"));

/** What workloads with a selector and a template have in common. */
function validateWorkload(object: KubeObject): FieldError[] {
  const errors: FieldError[] = [];
  const { spec: own } = object;
  const selector = valueAt(own, "selector");
  const labels = valueAt(own, "template", "metadata", "labels");
  if (!isObject(selector)) errors.push(required("spec.selector"));
  else if (Object.keys(selector).length === 0)
    errors.push(invalid("spec.selector", selector, "empty selector is invalid for deployment"));
  else if (!selectorHolds(selector, isObject(labels) ? labels : {})) {
    errors.push(invalid("spec.template.metadata.labels", labels ?? {}, "`selector` does not match template `labels`"));
  }
  errors.push(...atLeastZero(object, "replicas", "minReadySeconds", "revisionHistoryLimit"));
  // Those of a stateful set's claims are in no template.
  const claims = listAt(own, "volumeClaimTemplates").map((claim) => textAt(claim, "metadata", "name"));
  errors.push(...validatePodTemplate(valueAt(own, "template"), "spec.template", claims));
  const policy = valueAt(own, "template", "spec", "restartPolicy");
  if (policy !== undefined && policy !== "Always")
    errors.push(notSupported("spec.template.spec.restartPolicy", policy, ["Always"]));
  return errors;
}

export function atLeastZero(object: KubeObject, ...fields: readonly string[]): FieldError[] {
  return fields.flatMap((field) => {
    const value = valueAt(object, "spec", field);
    return typeof value === "number" && value < 0
      ? [invalid(`spec.${field}`, value, "must be greater than or equal to 0")]
      : [];
  });
}

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

/** Of a template, where it is new or has changed. */
const templateWarnings = (object: KubeObject, old?: KubeObject): readonly string[] => {
  const template = valueAt(object, "spec", "template");
  if (old !== undefined && deepEqual(template ?? null, valueAt(old, "spec", "template") ?? null)) return [];
  return podWarnings("spec.template.", valueAt(template, "metadata"), valueAt(template, "spec"));
};

const sameSelector = (object: KubeObject, old: KubeObject): readonly FieldError[] =>
  immutable("spec.selector", valueAt(object, "spec", "selector"), valueAt(old, "spec", "selector"));

const deployment: KindHooks = {
  tracksGeneration: true,
  warnings: templateWarnings,
  applyDefaults(object) {
    const strategy = spec(object)["strategy"];
    if (isObject(strategy) && strategy["type"] === undefined) strategy["type"] = "RollingUpdate";
    if (isObject(strategy) && strategy["type"] === "RollingUpdate") {
      strategy["rollingUpdate"] = {
        maxSurge: "25%",
        maxUnavailable: "25%",
        ...(strategy["rollingUpdate"] as JsonObject | undefined),
      };
    }
    defaultTemplate(object);
  },
  validate: (object) => {
    const strategy = valueAt(object, "spec", "strategy");
    const errors = [
      ...validateWorkload(object),
      ...oneOf(strategy, "type", "spec.strategy", ["Recreate", "RollingUpdate"]),
    ];
    if (textAt(strategy, "type") === "Recreate" && valueAt(strategy, "rollingUpdate") !== undefined) {
      errors.push(
        forbiddenField("spec.strategy.rollingUpdate", "may not be specified when strategy `type` is 'Recreate'"),
      );
    }
    return errors;
  },
  validateUpdate: sameSelector,
};

const statefulSet: KindHooks = {
  tracksGeneration: true,
  warnings: templateWarnings,
  applyDefaults(object) {
    const strategy = spec(object)["updateStrategy"];
    if (isObject(strategy) && strategy["type"] === undefined) strategy["type"] = "RollingUpdate";
    if (isObject(strategy) && strategy["type"] === "RollingUpdate") {
      strategy["rollingUpdate"] = { partition: 0, ...(strategy["rollingUpdate"] as JsonObject | undefined) };
    }
    for (const claim of listAt(object, "spec", "volumeClaimTemplates")) {
      if (!isObject(claim)) continue;
      claim["apiVersion"] = "v1";
      claim["kind"] = "PersistentVolumeClaim";
    }
    defaultTemplate(object);
  },
  validate: validateWorkload,
  validateUpdate: (object, old) => {
    const allowed = new Set([
      "minReadySeconds",
      "ordinals",
      "persistentVolumeClaimRetentionPolicy",
      "replicas",
      "revisionHistoryLimit",
      "template",
      "updateStrategy",
    ]);
    const fixed = (one: KubeObject) =>
      Object.fromEntries(Object.entries(one["spec"] as JsonObject).filter(([field]) => !allowed.has(field)));
    return immutable("spec", fixed(object), fixed(old)).length === 0
      ? []
      : [
          forbiddenField(
            "spec",
            "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
          ),
        ];
  },
};

const daemonSet: KindHooks = {
  tracksGeneration: true,
  warnings: templateWarnings,
  applyDefaults(object) {
    const strategy = spec(object)["updateStrategy"];
    if (isObject(strategy) && strategy["type"] === undefined) strategy["type"] = "RollingUpdate";
    if (isObject(strategy) && strategy["type"] === "RollingUpdate") {
      strategy["rollingUpdate"] = {
        maxSurge: 0,
        maxUnavailable: 1,
        ...(strategy["rollingUpdate"] as JsonObject | undefined),
      };
    }
    defaultTemplate(object);
  },
  validate: validateWorkload,
  validateUpdate: sameSelector,
};

const replicationController: KindHooks = {
  tracksGeneration: true,
  warnings: templateWarnings,
  applyDefaults(object) {
    const labels = valueAt(object, "spec", "template", "metadata", "labels");
    if (isObject(labels)) {
      spec(object)["selector"] ??= { ...labels };
      object.metadata.labels ??= { ...(labels as Record<string, string>) };
    }
    defaultTemplate(object);
  },
  validate: (object) => [
    ...validatePodTemplate(valueAt(object, "spec", "template"), "spec.template"),
    ...atLeastZero(object, "replicas"),
  ],
};

const CONTROLLER_UID = "batch.kubernetes.io/controller-uid";
const JOB_NAME = "batch.kubernetes.io/job-name";

const job: KindHooks = {
  tracksGeneration: true,
  warnings: templateWarnings,
  applyDefaults(object) {
    const own = spec(object);
    if (own["completions"] === undefined && own["parallelism"] === undefined) own["completions"] = 1;
    own["parallelism"] ??= 1;
    own["backoffLimit"] ??= own["backoffLimitPerIndex"] === undefined ? 6 : 2147483647;
    own["podReplacementPolicy"] =
      own["podFailurePolicy"] === undefined ? (own["podReplacementPolicy"] ?? "TerminatingOrFailed") : "Failed";
    defaultTemplate(object);
  },
  prepareCreate(object) {
    const own = spec(object);
    if (own["manualSelector"] === true) return;
    const template = (own["template"] ??= {}) as JsonObject;
    const metadata = (template["metadata"] ??= {}) as JsonObject;
    const uid = object.metadata.uid ?? "";
    const name = object.metadata.name ?? "";
    metadata["labels"] = {
      ...(metadata["labels"] as JsonObject | undefined),
      [CONTROLLER_UID]: uid,
      [JOB_NAME]: name,
      "controller-uid": uid,
      "job-name": name,
    };
    own["selector"] = { matchLabels: { [CONTROLLER_UID]: uid } };
  },
  validate: (object) => [
    ...validatePodTemplate(valueAt(object, "spec", "template"), "spec.template"),
    ...jobRestart(object["spec"], "spec"),
    ...atLeastZero(
      object,
      "parallelism",
      "completions",
      "backoffLimit",
      "ttlSecondsAfterFinished",
      "activeDeadlineSeconds",
    ),
  ],
  validateUpdate: (object, old) =>
    ["selector", "template", "completionMode", "podFailurePolicy"].flatMap((field) =>
      immutable(`spec.${field}`, valueAt(object, "spec", field), valueAt(old, "spec", field)),
    ),
};

function jobRestart(template: Json | undefined, path: string): readonly FieldError[] {
  const policy = textAt(template, "template", "spec", "restartPolicy");
  return policy === "Always" || policy === ""
    ? [
        {
          ...notSupported(`${path}.template.spec.restartPolicy`, policy, ["OnFailure", "Never"]),
          reason: "FieldValueNotSupported",
        },
      ]
    : [];
}

/** One that was kept before stays: zones come and go. */
function validateTimeZone(object: KubeObject, old: KubeObject | undefined): readonly FieldError[] {
  const zone = valueAt(object, "spec", "timeZone");
  if (typeof zone !== "string" || (old !== undefined && zone === valueAt(old, "spec", "timeZone"))) return [];
  const wrong = (why: string): readonly FieldError[] => [invalid("spec.timeZone", zone, why)];
  if (zone === "") return wrong("timeZone must be nil or non-empty string");
  if (zone.toLowerCase() === "local") {
    return wrong("timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones");
  }
  try {
    // It takes offsets as well, which are no names.
    if (/^[A-Za-z]/.test(zone) && new Intl.DateTimeFormat("en-US", { timeZone: zone }).resolvedOptions()) return [];
  } catch {
    // It is told below.
  }
  return wrong(`unknown time zone ${zone}`);
}

const cronJob: KindHooks = {
  tracksGeneration: true,
  applyDefaults: (object) => defaultPodSpec(valueAt(object, "spec", "jobTemplate", "spec", "template", "spec")),
  validate: (object, old) => {
    const schedule = textAt(object, "spec", "schedule");
    const template = valueAt(object, "spec", "jobTemplate", "spec");
    const errors: FieldError[] = schedule === "" ? [required("spec.schedule")] : [];
    if (schedule !== "" && !schedule.startsWith("@") && schedule.trim().split(/\s+/).length !== 5) {
      errors.push(
        invalid(
          "spec.schedule",
          schedule,
          `expected exactly 5 fields, found ${schedule.trim().split(/\s+/).length}: ${JSON.stringify(schedule.trim().split(/\s+/))}`,
        ),
      );
    }
    if (object.metadata.name !== undefined && object.metadata.name.length > 52) {
      errors.push(invalid("metadata.name", object.metadata.name, "must be no more than 52 characters"));
    }
    return [
      ...errors,
      ...validateTimeZone(object, old),
      ...oneOf(object["spec"], "concurrencyPolicy", "spec", ["Allow", "Forbid", "Replace"]),
      ...validatePodTemplate(valueAt(template, "template"), "spec.jobTemplate.spec.template"),
      ...jobRestart(template, "spec.jobTemplate.spec"),
    ];
  },
};

const pod: KindHooks = {
  tracksGeneration: true,
  validatesAll: "new",
  applyDefaults: (object) => defaultPod(object["spec"]),
  prepareCreate(object) {
    object["status"] = { phase: "Pending", qosClass: quality(object) };
  },
  validate: validatePod,
  warnings: ({ metadata, spec: own }, old) =>
    old === undefined || metadata.generation !== old.metadata.generation ? podWarnings("", metadata, own) : [],
  validateUpdate: validatePodUpdate,
  gracePeriod(object, requested) {
    if (
      textAt(object, "spec", "nodeName") === "" ||
      ["Succeeded", "Failed"].includes(textAt(object, "status", "phase"))
    )
      return 0;
    const own = valueAt(object, "spec", "terminationGracePeriodSeconds");
    const seconds = requested ?? (typeof own === "number" ? own : 30);
    return seconds < 0 ? 1 : seconds;
  },
};

/** Guaranteed, Burstable or BestEffort, by processors and memory. */
function quality(object: KubeObject): string {
  const containers = [...listAt(object, "spec", "containers"), ...listAt(object, "spec", "initContainers")];
  let [some, all] = [false, containers.length > 0];
  for (const container of containers) {
    for (const name of ["cpu", "memory"]) {
      const limit = textAt(container, "resources", "limits", name);
      const request = textAt(container, "resources", "requests", name) || limit;
      if (limit !== "" || request !== "") some = true;
      if (limit === "" || request !== limit) all = false;
    }
  }
  return all ? "Guaranteed" : some ? "Burstable" : "BestEffort";
}

export const WORKLOAD_HOOKS: Readonly<Record<string, KindHooks>> = {
  "cronjobs.batch": cronJob,
  "daemonsets.apps": daemonSet,
  "deployments.apps": deployment,
  "jobs.batch": job,
  pods: pod,
  podtemplates: {
    tracksGeneration: true,
    validatesAll: "new",
    applyDefaults: (object) => defaultPodSpec(valueAt(object, "template", "spec")),
    validate: (object) => validatePodTemplate(object["template"], "template"),
    warnings: ({ template }) => podWarnings("template.", valueAt(template, "metadata"), valueAt(template, "spec")),
  },
  "replicasets.apps": {
    tracksGeneration: true,
    warnings: templateWarnings,
    applyDefaults: defaultTemplate,
    validate: validateWorkload,
    validateUpdate: sameSelector,
  },
  replicationcontrollers: replicationController,
  "statefulsets.apps": statefulSet,
};
