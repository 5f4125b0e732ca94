import type { KindHooks } from "../../kind/kind.ts";
import { isObject, type Json, type JsonObject } from "../../object/json.ts";
import { type KubeObject, listAt, textAt, valueAt } from "../../object/kube-object.ts";
import { type Findings, findingsOf } from "../../validation/findings.ts";
import { dnsLabel } from "../../validation/names.ts";
import { immutable, validateAnnotations } from "../../validation/validate-metadata.ts";
import { checkAtMostAll, checkCountOrPercent } from "../core/disruption-budget.ts";
import { validatePodTemplate } from "../pods/pod-rules.ts";
import { checkClaimSpec, claimSpecWarnings } from "../storage/claim-spec.ts";
import {
  amountOf,
  checkCollisions,
  checkCounts,
  checkLastingTemplate,
  checkMatch,
  checkOwnSelector,
  defaultRolling,
  defaultTemplate,
  isEmptySelector,
  printedStrategy,
  templateWarnings,
} from "./templates.ts";

function checkStrategy(found: Findings, strategy: Json | undefined): void {
  const at = "spec.updateStrategy";
  const [type, rolling] = [textAt(strategy, "type"), valueAt(strategy, "rollingUpdate")];
  const shown = printedStrategy(strategy, ["partition", "maxUnavailable"]);
  if (type === "") found.required(at);
  else if (type === "OnDelete") {
    const why = "only allowed for updateStrategy 'RollingUpdate'";
    if (isObject(rolling)) found.invalid(`${at}.rollingUpdate`, shown["RollingUpdate"], why);
  } else if (type !== "RollingUpdate") found.invalid(at, shown, "must be 'RollingUpdate' or 'OnDelete'");
  else if (isObject(rolling)) {
    found.atLeastZero(`${at}.rollingUpdate.partition`, rolling["partition"]);
    const most = rolling["maxUnavailable"];
    if (most === undefined || most === null) return;
    const field = `${at}.rollingUpdate.maxUnavailable`;
    checkCountOrPercent(found, field, most);
    if (amountOf(most) === 0) found.invalid(field, most, "cannot be 0");
    checkAtMostAll(found, field, most);
  }
}

/** A template as its pods get it: claims come first, and names are the controller's. */
function templateOf(spec: Json | undefined): Json | undefined {
  const template = valueAt(spec, "template");
  const pod = valueAt(template, "spec");
  if (!isObject(template) || !isObject(pod)) return template;
  const claims = new Set(listAt(spec, "volumeClaimTemplates").map((claim) => textAt(claim, "metadata", "name")));
  const own: JsonObject = { ...pod };
  delete own["subdomain"];
  delete own["hostname"];
  if (claims.size > 0) {
    own["volumes"] = [
      ...[...claims].map((name) => ({ name, persistentVolumeClaim: { claimName: name } })),
      ...listAt(pod, "volumes").filter((volume) => !claims.has(textAt(volume, "name"))),
    ];
  }
  return { ...template, spec: own };
}

interface Tolerated {
  /** What cannot be changed is not looked at again. */
  readonly isChange: boolean;
  readonly withoutTemplate: boolean;
}

function checkTemplate(found: Findings, spec: Json | undefined, withoutTemplate: boolean): void {
  const selector = valueAt(spec, "selector");
  const template = templateOf(spec);
  if (!checkOwnSelector(found, selector, "statefulset")) {
    found.invalid("spec.selector", selector, "");
    return;
  }
  if (!isObject(selector) || !isEmptySelector(selector)) checkMatch(found, selector, template);
  if (!withoutTemplate) found.add(...validatePodTemplate(template, "spec.template"));
  found.labels("spec.template.labels", valueAt(template, "metadata", "labels"));
  found.add(...validateAnnotations(valueAt(template, "metadata", "annotations"), "spec.template.annotations"));
}

function checkSpec(found: Findings, spec: Json | undefined, { isChange, withoutTemplate }: Tolerated): void {
  const policy = textAt(spec, "podManagementPolicy");
  if (policy === "") found.required("spec.podManagementPolicy");
  else if (policy !== "OrderedReady" && policy !== "Parallel")
    found.invalid("spec.podManagementPolicy", policy, "must be 'OrderedReady' or 'Parallel'");
  checkStrategy(found, valueAt(spec, "updateStrategy"));
  const retention = valueAt(spec, "persistentVolumeClaimRetentionPolicy");
  for (const field of isObject(retention) ? ["whenDeleted", "whenScaled"] : []) {
    const at = `spec.persistentVolumeClaimRetentionPolicy.${field}`;
    found.oneOf(at, textAt(retention, field), ["Retain", "Delete"]);
  }
  for (const [index, claim] of listAt(spec, "volumeClaimTemplates").entries())
    if (!isChange) checkClaimSpec(found, `spec.volumeClaimTemplates[${index}].spec`, valueAt(claim, "spec"));
  for (const field of ["replicas", "minReadySeconds"]) found.atLeastZero(`spec.${field}`, valueAt(spec, field));
  found.atLeastZero("spec.ordinals.start", valueAt(spec, "ordinals", "start"));
  const service = textAt(spec, "serviceName");
  if (!isChange && service !== "") found.name(dnsLabel, "spec.serviceName", service);
  checkTemplate(found, spec, withoutTemplate);
  checkLastingTemplate(found, valueAt(spec, "template"), "StatefulSet");
}

/** What was wrong with its template before may stay so, and be wrong otherwise. */
function validate({ spec }: KubeObject, old?: KubeObject): ReturnType<typeof findingsOf> {
  const isChange = old !== undefined;
  const withoutTemplate =
    isChange && findingsOf((found) => checkSpec(found, old["spec"], { isChange, withoutTemplate: false })).length > 0;
  return findingsOf((found) => checkSpec(found, spec, { isChange, withoutTemplate }));
}

const CHANGEABLE = new Set([
  "minReadySeconds",
  "ordinals",
  "persistentVolumeClaimRetentionPolicy",
  "replicas",
  "revisionHistoryLimit",
  "template",
  "updateStrategy",
]);

const fixed = ({ spec }: KubeObject): JsonObject =>
  Object.fromEntries(Object.entries(isObject(spec) ? spec : {}).filter(([field]) => !CHANGEABLE.has(field)));

function warnings(object: KubeObject, old?: KubeObject): readonly string[] {
  const part = old === undefined ? "" : ".Spec";
  const kept = valueAt(object, "spec", "revisionHistoryLimit");
  return [
    ...templateWarnings(object, old),
    ...listAt(object, "spec", "volumeClaimTemplates").flatMap((claim, index) =>
      claimSpecWarnings(`spec.volumeClaimTemplates[${index}]${part}`, valueAt(claim, "spec")),
    ),
    ...(typeof kept === "number" && kept < 0
      ? ["spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is recommended"]
      : []),
  ];
}

/** `apps/v1.StatefulSet` */
export const statefulSet: KindHooks = {
  tracksGeneration: true,
  validatesAll: true,
  applyDefaults(object) {
    defaultRolling(object, "updateStrategy", { partition: 0 });
    for (const claim of listAt(object, "spec", "volumeClaimTemplates")) {
      if (!isObject(claim)) continue;
      claim["apiVersion"] = "v1";
      claim["kind"] = "PersistentVolumeClaim";
    }
    defaultTemplate(object);
  },
  validate,
  validateUpdate: (object, old) =>
    findingsOf((found) => {
      if (immutable("spec", fixed(object), fixed(old)).length === 0) return;
      found.forbidden(
        "spec",
        "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
      );
    }),
  validateStatus: (object, old) =>
    findingsOf((found) => {
      const parts = ["readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas"];
      const fields = ["replicas", ...parts, "observedGeneration", "collisionCount"];
      checkCounts(found, object["status"], fields, parts, "status.readyReplicas");
      checkCollisions(found, object, old);
    }),
  warnings,
};
