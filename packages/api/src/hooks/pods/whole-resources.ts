import { isObject, type Json } from "../../object/json.ts";
import { listAt, textAt, valueAt } from "../../object/kube-object.ts";
import { addQuantities, formatQuantity, parseQuantity, type Quantity } from "../../object/quantity.ts";
import type { Findings } from "../../validation/findings.ts";
import { checkPodResource, checkRequirements, resourcesOf } from "../../validation/resources.ts";

type Amounts = Map<string, Quantity>;

function amountsOf(container: Json, field: string): Amounts {
  const amounts: Amounts = new Map();
  for (const [name, amount] of resourcesOf(valueAt(container, "resources", field))) {
    const quantity = parseQuantity(textAt(amount));
    if (quantity !== undefined) amounts.set(name, quantity);
  }
  return amounts;
}

const addTo = (sum: Amounts, more: Amounts): void => {
  for (const [name, amount] of more) {
    const before = sum.get(name);
    sum.set(name, before === undefined ? amount : addQuantities(before, amount));
  }
};

const raiseTo = (most: Amounts, others: Amounts): void => {
  for (const [name, amount] of others) {
    const before = most.get(name);
    if (before === undefined || amount.nano > before.nano) most.set(name, amount);
  }
};

/** What a pod's containers take together, or the largest of those before them beside what runs already. */
function together(spec: Json | undefined, field: string): Amounts {
  const sum: Amounts = new Map();
  for (const container of listAt(spec, "containers")) addTo(sum, amountsOf(container, field));
  const [running, most]: [Amounts, Amounts] = [new Map(), new Map()];
  for (const container of listAt(spec, "initContainers")) {
    const own = amountsOf(container, field);
    if (valueAt(container, "restartPolicy") === "Always") {
      addTo(sum, own);
      addTo(running, own);
      raiseTo(most, running);
    } else {
      addTo(own, running);
      raiseTo(most, own);
    }
  }
  raiseTo(sum, most);
  return sum;
}

/** What a pod says that it takes as a whole: no less than its containers. */
export function checkPodResources(
  found: Findings,
  at: string,
  spec: Json | undefined,
  claims: ReadonlySet<string>,
): void {
  const own = valueAt(spec, "resources");
  if (!isObject(own)) return;
  if (textAt(spec, "os", "name") === "windows") {
    found.forbidden(at, "may not be set for a windows pod");
    return;
  }
  if (listAt(own, "claims").length > 0)
    found.forbidden(`${at}.claims`, "claims may not be set for Resources at pod-level");
  checkRequirements(found, at, own, { check: checkPodResource, claims });
  for (const field of ["requests", "limits"]) {
    for (const [name, sum] of together(spec, field)) {
      const given = parseQuantity(textAt(own, field, name));
      if (given === undefined || sum.nano <= given.nano) continue;
      if (field === "limits" && !name.startsWith("hugepages-")) continue;
      const why = `must be greater than or equal to aggregate container ${field} of ${formatQuantity(sum)}`;
      found.invalid(`${at}.${field}[${name}]`, formatQuantity(given), why);
    }
  }
  for (const [index, container] of listAt(spec, "containers").entries()) {
    for (const [name, limit] of amountsOf(container, "limits")) {
      const most = parseQuantity(textAt(own, "limits", name));
      if (most === undefined || limit.nano <= most.nano) continue;
      const field = `${at}.containers[${index}][${name}].limits`;
      found.invalid(
        field,
        formatQuantity(limit),
        `must be less than or equal to pod limits of ${formatQuantity(most)}`,
      );
    }
  }
}
