import { isObject, type Json } from "../../object/json.ts";
import { listAt, textAt, valueAt } from "../../object/kube-object.ts";
import { parseQuantity } from "../../object/quantity.ts";

const COUNTED = ["cpu", "memory"] as const;

/** What is not asked for is what is the limit. */
function amountAt(resources: Json | undefined, field: "limits" | "requests", name: string): bigint {
  const own = textAt(resources, field, name) || textAt(resources, "limits", name);
  return parseQuantity(own)?.nano ?? 0n;
}

/** `Guaranteed`, `Burstable` or `BestEffort`, by processors and memory: the pod's own, or those of its containers. */
export function quality(spec: Json | undefined): string {
  const own = valueAt(spec, "resources");
  const isWhole = ["requests", "limits"].some((field) => {
    const list = valueAt(own, field);
    return isObject(list) && Object.keys(list).length > 0;
  });
  const parts = isWhole
    ? [own]
    : [...listAt(spec, "containers"), ...listAt(spec, "initContainers")].map((one) => valueAt(one, "resources"));
  const sum = (field: "limits" | "requests", name: string): bigint =>
    parts.reduce<bigint>((total, part) => total + amountAt(part, field, name), 0n);
  const hasAny = COUNTED.some((name) => sum("requests", name) > 0n || sum("limits", name) > 0n);
  if (!hasAny) return "BestEffort";
  const isLimited = parts.every((part) => COUNTED.every((name) => amountAt(part, "limits", name) > 0n));
  const isEqual = COUNTED.every((name) => sum("requests", name) === sum("limits", name));
  return isLimited && isEqual ? "Guaranteed" : "Burstable";
}
