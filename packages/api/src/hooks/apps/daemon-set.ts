import type { KindHooks } from "../../kind/kind.ts";
import { isObject, type Json } from "../../object/json.ts";
import { textAt, valueAt } from "../../object/kube-object.ts";
import { type Findings, findingsOf } from "../../validation/findings.ts";
import { checkSelector, hasInvalidValue } from "../../validation/selectors.ts";
import { checkAtMostAll, checkCountOrPercent } from "../core/disruption-budget.ts";
import { validatePodTemplate } from "../pods/pod-rules.ts";
import {
  amountOf,
  checkCollisions,
  checkCounts,
  checkLastingTemplate,
  checkMatch,
  defaultRolling,
  defaultTemplate,
  isEmptySelector,
  newTemplateWarnings,
  printedStrategy,
} from "./templates.ts";

function checkStrategy(found: Findings, strategy: Json | undefined): void {
  const at = "spec.updateStrategy";
  const [type, rolling] = [textAt(strategy, "type"), valueAt(strategy, "rollingUpdate")];
  if (type === "OnDelete") return;
  if (type !== "RollingUpdate") {
    found.notSupported(at, printedStrategy(strategy, ["maxUnavailable", "maxSurge"]), ["RollingUpdate", "OnDelete"]);
    return;
  }
  const fields = ["maxUnavailable", "maxSurge"];
  for (const check of [checkCountOrPercent, checkAtMostAll])
    for (const field of fields) check(found, `${at}.rollingUpdate.${field}`, valueAt(rolling, field));
  const [unavailable = 0, surge = 0] = fields.map((field) => amountOf(valueAt(rolling, field)));
  if (unavailable !== 0 && surge !== 0) {
    const why = "may not be set when maxUnavailable is non-zero";
    found.invalid(`${at}.rollingUpdate.maxSurge`, valueAt(rolling, "maxSurge"), why);
  } else if (unavailable === 0 && surge === 0)
    found.required(`${at}.rollingUpdate.maxUnavailable`, "cannot be 0 when maxSurge is 0");
}

/** `apps/v1.DaemonSet` */
export const daemonSet: KindHooks = {
  tracksGeneration: true,
  validatesAll: true,
  applyDefaults(object) {
    defaultRolling(object, "updateStrategy", { maxSurge: 0, maxUnavailable: 1 });
    defaultTemplate(object);
  },
  validate: ({ spec }, old) =>
    findingsOf((found) => {
      const [selector, template] = [valueAt(spec, "selector"), valueAt(spec, "template")];
      const anyValues = old !== undefined && hasInvalidValue(valueAt(old, "spec", "selector"));
      checkSelector(found, "spec.selector", selector, { anyValues });
      const isSelector = findingsOf((own) => checkSelector(own, "spec.selector", selector)).length === 0;
      if (isSelector) checkMatch(found, selector, template);
      if (isObject(selector) && isEmptySelector(selector))
        found.invalid("spec.selector", selector, "empty selector is invalid for daemonset");
      found.add(...validatePodTemplate(template, "spec.template"));
      checkLastingTemplate(found, template, "DaemonSet");
      found.atLeastZero("spec.minReadySeconds", valueAt(spec, "minReadySeconds"));
      checkStrategy(found, valueAt(spec, "updateStrategy"));
      found.atLeastZero("spec.revisionHistoryLimit", valueAt(spec, "revisionHistoryLimit"));
    }),
  validateUpdate: (object, old) =>
    findingsOf((found) =>
      found.immutable("spec.selector", valueAt(object, "spec", "selector"), valueAt(old, "spec", "selector")),
    ),
  validateStatus: (object, old) =>
    findingsOf((found) => {
      const fields = [
        "currentNumberScheduled",
        "numberMisscheduled",
        "desiredNumberScheduled",
        "numberReady",
        "observedGeneration",
        "updatedNumberScheduled",
        "numberAvailable",
        "numberUnavailable",
        "collisionCount",
      ];
      checkCounts(found, object["status"], fields, []);
      checkCollisions(found, object, old);
    }),
  warnings: newTemplateWarnings,
};
