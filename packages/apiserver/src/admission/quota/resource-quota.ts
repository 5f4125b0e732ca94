import {
  addQuantities,
  forbidden,
  formatQuantity,
  isObject,
  type KubeObject,
  type Quantity,
  subtractQuantities,
  ZERO,
} from "@boxship/api";
import type { AdmissionPlugin, AdmissionRequest } from "../../contract.ts";
import { objectKey } from "../../storage/object-bytes.ts";
import { amountsOf, type QuotaBook } from "./quota-book.ts";
import { isInScope, type Usage, unsaid, usageOf } from "./usage.ts";

/** Nobody takes more of a namespace than its quotas give. The last to be asked: what it charges is about to be kept. */
export function resourceQuotas(book: () => QuotaBook): AdmissionPlugin {
  return {
    name: "ResourceQuota",
    async validate(request) {
      const { kind, namespace, object, operation, subresource, dryRun } = request;
      if (object === null || !kind.namespaced || (operation !== "CREATE" && operation !== "UPDATE")) return;
      if (subresource !== "" && subresource !== "resize") return;
      for (const quota of await book().quotasOf(namespace)) {
        const hard = hardOf(quota);
        const delta = deltaOf(request, quota, object, hard);
        checkSaid(request, quota, object, [...hard.keys()]);
        if (delta.size === 0) continue;
        const key = objectKey(kind, namespace, object.metadata.name);
        const named = { namespace, name: quota.metadata.name ?? "" };
        await book().charge(named, key, delta, (now) => usedAfter(request, now, delta), dryRun);
      }
    },
  };
}

function hardOf(quota: KubeObject): ReadonlyMap<string, Quantity> {
  const { spec } = quota;
  return amountsOf(isObject(spec) ? spec["hard"] : undefined);
}

/** What the write takes more of what the quota limits; for an update, what has grown. */
function deltaOf(
  { kind, oldObject, operation }: AdmissionRequest,
  quota: KubeObject,
  object: KubeObject,
  hard: ReadonlyMap<string, Quantity>,
): Usage {
  const usage = (one: KubeObject | null): Usage =>
    one !== null && isInScope(quota, kind, one) ? usageOf(kind, one) : new Map<string, Quantity>();
  const before = operation === "UPDATE" ? usage(oldObject) : new Map<string, Quantity>();
  const delta = new Map<string, Quantity>();
  for (const [name, amount] of usage(object)) {
    const more = subtractQuantities(amount, before.get(name) ?? ZERO);
    if (hard.has(name) && more.nano > 0n) delta.set(name, more);
  }
  return delta;
}

function usedAfter(request: AdmissionRequest, quota: KubeObject, delta: Usage): ReadonlyMap<string, Quantity> {
  const { status } = quota;
  const used = amountsOf(isObject(status) ? status["used"] : undefined);
  const hard = hardOf(quota);
  const after = new Map(used);
  for (const [name, more] of delta) after.set(name, addQuantities(used.get(name) ?? ZERO, more));
  const over = [...delta.keys()]
    .filter((name) => (after.get(name)?.nano ?? 0n) > (hard.get(name)?.nano ?? 0n))
    .toSorted();
  if (over.length === 0) return after;
  const listed = (amounts: ReadonlyMap<string, Quantity>): string =>
    over.map((name) => `${name}=${formatQuantity(amounts.get(name) ?? ZERO)}`).join(",");
  throw refused(
    request,
    `exceeded quota: ${quota.metadata.name}, requested: ${listed(delta)}, used: ${listed(used)}, limited: ${listed(hard)}`,
  );
}

/** Where a quota limits what containers ask for, each has to ask for something. */
function checkSaid(request: AdmissionRequest, quota: KubeObject, object: KubeObject, hard: readonly string[]): void {
  const { kind, operation } = request;
  if (kind.group !== "" || kind.resource !== "pods" || operation !== "CREATE" || !isInScope(quota, kind, object))
    return;
  const missing = unsaid(object, hard.toSorted());
  if (missing.size === 0) return;
  const words = [...missing].map(([name, containers]) => `${name} for: ${containers.join(",")}`);
  throw refused(request, `failed quota: ${quota.metadata.name}: must specify ${words.join("; ")}`);
}

const refused = ({ kind, object, name }: AdmissionRequest, why: string): Error =>
  forbidden(kind, object?.metadata.name || name, why);
