import type { KindHooks } from "../../kind/kind.ts";
import { isObject, type Json } from "../../object/json.ts";
import { type KubeObject, valueAt } from "../../object/kube-object.ts";
import { type Findings, findingsOf } from "../../validation/findings.ts";
import { validatePodTemplate } from "../pods/pod-rules.ts";
import {
  checkCounts,
  checkLastingTemplate,
  checkMatch,
  checkReplicated,
  defaultTemplate,
  nameWarnings,
  specOf,
  templateWarnings,
} from "./templates.ts";

const PARTS = ["fullyLabeledReplicas", "readyReplicas", "availableReplicas"];

const warnings = (object: KubeObject, old?: KubeObject): readonly string[] => [
  ...nameWarnings(object, old),
  ...templateWarnings(object, old),
];

/** `apps/v1.ReplicaSet` */
export const replicaSet: KindHooks = {
  tracksGeneration: true,
  validatesAll: true,
  applyDefaults: defaultTemplate,
  validate: ({ spec }) =>
    findingsOf((found) => {
      for (const field of ["replicas", "minReadySeconds"]) found.atLeastZero(`spec.${field}`, valueAt(spec, field));
      checkReplicated(found, spec);
    }),
  validateUpdate: (object, old) =>
    findingsOf((found) =>
      found.immutable("spec.selector", valueAt(object, "spec", "selector"), valueAt(old, "spec", "selector")),
    ),
  validateStatus: ({ status }) =>
    findingsOf((found) =>
      checkCounts(found, status, ["replicas", ...PARTS, "observedGeneration", "terminatingReplicas"], PARTS),
    ),
  warnings,
};

const OLD_FIELDS = "non-convertible.kubernetes.io/";

/** What other versions had and this one cannot say. */
function checkOldFields(found: Findings, { spec }: KubeObject, old: KubeObject): void {
  for (const [key, value] of Object.entries(old.metadata.annotations ?? {})) {
    const field = key.slice(OLD_FIELDS.length);
    if (!key.startsWith(OLD_FIELDS) || field.includes("/")) continue;
    if (!field.includes("selector")) found.notFound(field, value, "unknown non-convertible field");
    else {
      const own = findingsOf((it) => it.immutable("", valueAt(spec, "selector"), valueAt(old, "spec", "selector")));
      const why = "cannot update non-convertible selector";
      if (own.length > 0) found.invalid("spec.selector", valueAt(spec, "selector"), why);
    }
  }
}

function checkTemplate(found: Findings, template: Json | undefined, labels: Json | undefined): void {
  if (!isObject(template)) {
    found.required("spec.template");
    return;
  }
  if (isObject(labels) && Object.keys(labels).length > 0) checkMatch(found, { matchLabels: labels }, template);
  found.add(...validatePodTemplate(template, "spec.template"));
  checkLastingTemplate(found, template, "ReplicationController");
}

/** `core/v1.ReplicationController` */
export const replicationController: KindHooks = {
  tracksGeneration: true,
  validatesAll: true,
  applyDefaults(object) {
    const labels = valueAt(object, "spec", "template", "metadata", "labels");
    if (isObject(labels)) {
      const own = specOf(object);
      if (Object.keys(own["selector"] ?? {}).length === 0) own["selector"] = { ...labels };
      if (Object.keys(object.metadata.labels ?? {}).length === 0)
        object.metadata.labels = { ...(labels as Record<string, string>) };
    }
    defaultTemplate(object);
  },
  validate: ({ spec }) =>
    findingsOf((found) => {
      found.atLeastZero("spec.minReadySeconds", valueAt(spec, "minReadySeconds"));
      const selector = valueAt(spec, "selector");
      if (!isObject(selector) || Object.keys(selector).length === 0) found.required("spec.selector");
      found.atLeastZero("spec.replicas", valueAt(spec, "replicas"));
      checkTemplate(found, valueAt(spec, "template"), selector);
    }),
  validateUpdate: (object, old) => findingsOf((found) => checkOldFields(found, object, old)),
  validateStatus: ({ status }) =>
    findingsOf((found) => checkCounts(found, status, ["replicas", ...PARTS, "observedGeneration"], PARTS)),
  warnings,
};
