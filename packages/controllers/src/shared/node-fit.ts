import { isObject, type Json, listAt, textAt, valueAt } from "@boxship/api";
import type { PodSpec, Toleration } from "../types/pod.ts";
import type { Node, Taint } from "../types/sets.ts";

export function tolerates({ key, value, effect }: Taint, tolerations: readonly Toleration[] = []): boolean {
  return tolerations.some((one) => {
    if ((one.effect ?? "") !== "" && one.effect !== effect) return false;
    if ((one.key ?? "") !== "" && one.key !== key) return false;
    if (one.operator === "Exists") return true;
    return (one.key ?? "") !== "" && (one.value ?? "") === (value ?? "");
  });
}

/** Whether the pod's node name, selector and required affinity let it be on a node. */
export function fitsNode(spec: PodSpec, node: Node): boolean {
  const { name = "", labels = {} } = node.metadata;
  if ((spec.nodeName ?? "") !== "" && spec.nodeName !== name) return false;
  if (Object.entries(spec.nodeSelector ?? {}).some(([key, value]) => labels[key] !== value)) return false;
  const required = valueAt(spec.affinity, "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution");
  if (!isObject(required)) return true;
  return listAt(required, "nodeSelectorTerms").some((term) => termHolds(term, name, labels));
}

/** An empty term holds for no node. */
function termHolds(term: Json, name: string, labels: Readonly<Record<string, string>>): boolean {
  const expressions = listAt(term, "matchExpressions");
  const fields = listAt(term, "matchFields");
  if (expressions.length + fields.length === 0) return false;
  return (
    expressions.every((one) => requirementHolds(one, labels[textAt(one, "key")])) &&
    fields.every((one) => textAt(one, "key") === "metadata.name" && requirementHolds(one, name))
  );
}

function requirementHolds(requirement: Json, value: string | undefined): boolean {
  const values = listAt(requirement, "values").map((one) => textAt(one));
  switch (textAt(requirement, "operator")) {
    case "In":
      return value !== undefined && values.includes(value);
    case "NotIn":
      return value === undefined || !values.includes(value);
    case "Exists":
      return value !== undefined;
    case "DoesNotExist":
      return value === undefined;
    case "Gt":
      return value !== undefined && Number(value) > Number(values[0]);
    case "Lt":
      return value !== undefined && Number(value) < Number(values[0]);
    default:
      return false;
  }
}
