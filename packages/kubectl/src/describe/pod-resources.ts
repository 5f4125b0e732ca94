import {
  addQuantities,
  isObject,
  type Json,
  type KubeObject,
  listAt,
  parseQuantity,
  type Quantity,
  textAt,
  valueAt,
} from "@boxship/api";

/** Of resources by name. */
export type Amounts = ReadonlyMap<string, Quantity>;

function amountsOf(list: Json | undefined): Map<string, Quantity> {
  const found = new Map<string, Quantity>();
  for (const [name, value] of Object.entries(isObject(list) ? list : {})) {
    const quantity = parseQuantity(textAt(value));
    if (quantity !== undefined) found.set(name, quantity);
  }
  return found;
}

function add(to: Map<string, Quantity>, more: Amounts): void {
  for (const [name, one] of more) {
    const before = to.get(name);
    to.set(name, before === undefined ? one : addQuantities(before, one));
  }
}

function raise(to: Map<string, Quantity>, other: Amounts): void {
  for (const [name, one] of other) if ((to.get(name)?.nano ?? -1n) < one.nano) to.set(name, one);
}

/**
 * The sum of containers and of init containers that stay, or what one of the others needs beside those that stay,
 * whichever is more; what the pod as a whole has comes first.
 */
function total(pod: KubeObject, field: "requests" | "limits"): Map<string, Quantity> {
  const sum = new Map<string, Quantity>();
  for (const one of listAt(pod, "spec", "containers")) add(sum, amountsOf(valueAt(one, "resources", field)));
  const [staying, most] = [new Map<string, Quantity>(), new Map<string, Quantity>()];
  for (const one of listAt(pod, "spec", "initContainers")) {
    const needs = amountsOf(valueAt(one, "resources", field));
    if (textAt(one, "restartPolicy") === "Always") {
      add(sum, needs);
      add(staying, needs);
      raise(most, staying);
    } else {
      add(needs, staying);
      raise(most, needs);
    }
  }
  raise(sum, most);
  for (const [name, one] of amountsOf(valueAt(pod, "spec", "resources", field))) sum.set(name, one);
  return sum;
}

export function podRequests(pod: KubeObject): Amounts {
  const sum = total(pod, "requests");
  add(sum, amountsOf(valueAt(pod, "spec", "overhead")));
  return sum;
}

/** Overhead counts only where there is a limit. */
export function podLimits(pod: KubeObject): Amounts {
  const sum = total(pod, "limits");
  const overhead = [...amountsOf(valueAt(pod, "spec", "overhead"))].filter(([name]) => sum.has(name));
  add(sum, new Map(overhead));
  return sum;
}
