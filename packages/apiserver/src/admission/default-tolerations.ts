import { isObject, type Json, listAt, textAt } from "@boxship/api";
import type { AdmissionPlugin } from "../contract.ts";
import { newPodSpec } from "./pods.ts";

const SECONDS = 300;
const TAINTS = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"];

/** Pods stay for five minutes on a node that is gone, unless they say something else. */
export const defaultTolerations: AdmissionPlugin = {
  name: "DefaultTolerationSeconds",
  mutate(request) {
    const spec = newPodSpec(request);
    if (spec === undefined) return;
    const tolerations = [...listAt(spec, "tolerations")];
    const missing = TAINTS.filter((taint) => !tolerations.some((one) => tolerates(one, taint)));
    if (missing.length === 0) return;
    const added = missing.map((key) => ({
      key,
      operator: "Exists",
      effect: "NoExecute",
      tolerationSeconds: SECONDS,
    }));
    spec["tolerations"] = [...tolerations, ...added];
  },
};

function tolerates(toleration: Json, taint: string): boolean {
  const [key, effect] = [textAt(toleration, "key"), textAt(toleration, "effect")];
  return (key === taint || key === "") && (effect === "NoExecute" || effect === "");
}

/** New nodes get no pods before somebody says that they are ready. */
export const newNodeTaint: AdmissionPlugin = {
  name: "TaintNodesByCondition",
  mutate({ kind, operation, subresource, object }) {
    if (kind.group !== "" || kind.resource !== "nodes" || operation !== "CREATE" || subresource !== "") return;
    if (object === null) return;
    const spec = isObject(object["spec"]) ? object["spec"] : {};
    const taint = { key: "node.kubernetes.io/not-ready", effect: "NoSchedule" };
    const taints = listAt(spec, "taints");
    const has = taints.some((one) => textAt(one, "key") === taint.key && textAt(one, "effect") === taint.effect);
    if (!has) object["spec"] = { ...spec, taints: [...taints, taint] };
  },
};
