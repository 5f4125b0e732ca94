import type { KindHooks } from "../kind/kind.ts";
import { type KubeObject, listAt, textAt, valueAt } from "../object/kube-object.ts";
import { defaultPod, defaultPodSpec } from "./pod-template.ts";
import { validatePod, validatePodTemplate, validatePodUpdate } from "./pods/pod-rules.ts";
import { podWarnings } from "./pods/pod-warnings.ts";

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
  pods: pod,
  podtemplates: {
    tracksGeneration: true,
    validatesAll: "new",
    applyDefaults: (object) => defaultPodSpec(valueAt(object, "template", "spec")),
    validate: (object) => validatePodTemplate(object["template"], "template"),
    warnings: ({ template }) => podWarnings("template.", valueAt(template, "metadata"), valueAt(template, "spec")),
  },
};
