import type { KindHooks } from "../../kind/kind.ts";
import { isObject, type Json } from "../../object/json.ts";
import { textAt, valueAt } from "../../object/kube-object.ts";
import { type Findings, findingsOf } from "../../validation/findings.ts";
import { checkAtMostAll, checkCountOrPercent } from "../core/disruption-budget.ts";
import {
  amountOf,
  checkCollisions,
  checkCounts,
  checkReplicated,
  defaultRolling,
  defaultTemplate,
  nameWarnings,
  printedStrategy,
  templateWarnings,
} from "./templates.ts";

function checkStrategy(found: Findings, strategy: Json | undefined): void {
  const at = "spec.strategy";
  const [type, rolling] = [textAt(strategy, "type"), valueAt(strategy, "rollingUpdate")];
  if (type === "Recreate") {
    const why = "may not be specified when strategy `type` is 'Recreate'";
    if (isObject(rolling)) found.forbidden(`${at}.rollingUpdate`, why);
    return;
  }
  if (type !== "RollingUpdate") {
    found.notSupported(at, printedStrategy(strategy, ["maxUnavailable", "maxSurge"]), ["Recreate", "RollingUpdate"]);
    return;
  }
  const [unavailable, surge] = [valueAt(rolling, "maxUnavailable"), valueAt(rolling, "maxSurge")];
  const field = `${at}.rollingUpdate.maxUnavailable`;
  checkCountOrPercent(found, field, unavailable);
  checkCountOrPercent(found, `${at}.rollingUpdate.maxSurge`, surge);
  if (amountOf(unavailable) === 0 && amountOf(surge) === 0)
    found.invalid(field, unavailable, "may not be 0 when `maxSurge` is 0");
  checkAtMostAll(found, field, unavailable);
}

/** `apps/v1.Deployment` */
export const deployment: KindHooks = {
  tracksGeneration: true,
  validatesAll: true,
  applyDefaults(object) {
    defaultRolling(object, "strategy", { maxSurge: "25%", maxUnavailable: "25%" });
    defaultTemplate(object);
  },
  validate: ({ spec }) =>
    findingsOf((found) => {
      found.atLeastZero("spec.replicas", valueAt(spec, "replicas"));
      checkReplicated(found, spec);
      checkStrategy(found, valueAt(spec, "strategy"));
      found.atLeastZero("spec.minReadySeconds", valueAt(spec, "minReadySeconds"));
      found.atLeastZero("spec.revisionHistoryLimit", valueAt(spec, "revisionHistoryLimit"));
      const deadline = valueAt(spec, "progressDeadlineSeconds");
      if (typeof deadline !== "number") return;
      found.atLeastZero("spec.progressDeadlineSeconds", deadline);
      if (deadline <= Number(valueAt(spec, "minReadySeconds") ?? 0))
        found.invalid("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds");
    }),
  validateUpdate: (object, old) =>
    findingsOf((found) =>
      found.immutable("spec.selector", valueAt(object, "spec", "selector"), valueAt(old, "spec", "selector")),
    ),
  validateStatus: (object, old) =>
    findingsOf((found) => {
      const parts = ["updatedReplicas", "readyReplicas", "availableReplicas"];
      const fields = ["unavailableReplicas", "terminatingReplicas", "collisionCount"];
      checkCounts(found, object["status"], ["observedGeneration", "replicas", ...parts, ...fields], parts);
      checkCollisions(found, object, old);
    }),
  warnings: (object, old) => [...nameWarnings(object, old), ...templateWarnings(object, old)],
};
