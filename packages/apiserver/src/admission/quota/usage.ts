import {
  count,
  isObject,
  type Json,
  type Kind,
  type KubeObject,
  listAt,
  parseQuantity,
  type Quantity,
  qualified,
  textAt,
  valueAt,
} from "@boxship/api";
import { podAmounts } from "../limit-ranges.ts";
import { containersOf } from "../pods.ts";

export type Usage = ReadonlyMap<string, Quantity>;

/** Resources whose plain names may be counted. */
const PLAIN = new Set([
  "configmaps",
  "persistentvolumeclaims",
  "pods",
  "replicationcontrollers",
  "resourcequotas",
  "secrets",
  "services",
]);

const NATIVE = new Set(["cpu", "memory", "ephemeral-storage"]);

/** What an object takes of quotas, by the names that they give it. */
export function usageOf(kind: Kind, object: KubeObject): Usage {
  const usage = new Map<string, Quantity>([[`count/${qualified(kind)}`, count(1)]]);
  if (kind.group !== "") return usage;
  if (kind.resource === "pods") podUsage(object, usage);
  else if (PLAIN.has(kind.resource)) usage.set(kind.resource, count(1));
  if (kind.resource === "services") serviceUsage(object, usage);
  if (kind.resource === "persistentvolumeclaims") claimUsage(object, usage);
  return usage;
}

const isOver = (pod: KubeObject): boolean => ["Succeeded", "Failed"].includes(textAt(pod, "status", "phase"));

function podUsage(pod: KubeObject, usage: Map<string, Quantity>): void {
  const spec = pod["spec"];
  if (!isObject(spec) || isOver(pod)) return;
  usage.set("pods", count(1));
  for (const [name, amount] of podAmounts(spec, "requests")) {
    usage.set(`requests.${name}`, amount);
    if (NATIVE.has(name) || name.startsWith("hugepages-")) usage.set(name, amount);
  }
  for (const [name, amount] of podAmounts(spec, "limits")) {
    if (NATIVE.has(name) || name.startsWith("hugepages-")) usage.set(`limits.${name}`, amount);
  }
}

function serviceUsage(service: KubeObject, usage: Map<string, Quantity>): void {
  const type = textAt(service, "spec", "type");
  const ports = listAt(service, "spec", "ports").length;
  const withPorts =
    type === "NodePort" ||
    (type === "LoadBalancer" && valueAt(service, "spec", "allocateLoadBalancerNodePorts") !== false);
  usage.set("services.nodeports", count(withPorts ? ports : 0));
  usage.set("services.loadbalancers", count(type === "LoadBalancer" ? 1 : 0));
}

function claimUsage(claim: KubeObject, usage: Map<string, Quantity>): void {
  const storage = parseQuantity(textAt(claim, "spec", "resources", "requests", "storage"));
  const named =
    textAt(claim, "spec", "storageClassName") ||
    (claim.metadata.annotations?.["volume.beta.kubernetes.io/storage-class"] ?? "");
  const prefix = `${named}.storageclass.storage.k8s.io/`;
  if (named !== "") usage.set(`${prefix}persistentvolumeclaims`, count(1));
  if (storage === undefined) return;
  usage.set("requests.storage", storage);
  if (named !== "") usage.set(`${prefix}requests.storage`, storage);
}

/** What a quota asks of every container that the pod does not say: by resource, the containers. */
export function unsaid(pod: KubeObject, hard: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const missing = new Map<string, string[]>();
  const spec = pod["spec"];
  if (!isObject(spec)) return missing;
  for (const name of hard) {
    const [field, resource] = demanded(name) ?? [];
    if (field === undefined || resource === undefined) continue;
    for (const container of containersOf(spec)) {
      if (valueAt(container, "resources", field, resource) !== undefined) continue;
      missing.set(name, [...(missing.get(name) ?? []), textAt(container, "name")]);
    }
  }
  return missing;
}

function demanded(name: string): readonly [string, string] | undefined {
  if (NATIVE.has(name) && name !== "ephemeral-storage") return ["requests", name];
  const [field = "", resource = ""] = name.split(".", 2);
  if (resource !== "cpu" && resource !== "memory") return undefined;
  return field === "requests" || field === "limits" ? [field, resource] : undefined;
}

/** Whether a quota is about an object: by its scopes, which only pods have. */
export function isInScope(quota: KubeObject, kind: Kind, object: KubeObject): boolean {
  const scopes = listAt(quota, "spec", "scopes").map((scopeName): Json => ({ scopeName, operator: "Exists" }));
  const all = [...scopes, ...listAt(quota, "spec", "scopeSelector", "matchExpressions")];
  if (all.length === 0) return true;
  return kind.group === "" && kind.resource === "pods" && all.every((one) => holds(one, object));
}

function holds(scope: Json, pod: KubeObject): boolean {
  const deadline = valueAt(pod, "spec", "activeDeadlineSeconds");
  const isTerminating = typeof deadline === "number" && deadline >= 0;
  switch (textAt(scope, "scopeName")) {
    case "Terminating":
      return isTerminating;
    case "NotTerminating":
      return !isTerminating;
    case "BestEffort":
      return isBestEffort(pod);
    case "NotBestEffort":
      return !isBestEffort(pod);
    case "PriorityClass":
      return matches(scope, textAt(pod, "spec", "priorityClassName"));
    case "CrossNamespacePodAffinity":
      return /"namespace(s|Selector)":/.test(JSON.stringify(valueAt(pod, "spec", "affinity") ?? {}));
    default:
      return false;
  }
}

function isBestEffort(pod: KubeObject): boolean {
  const spec = pod["spec"];
  if (!isObject(spec)) return true;
  return ["requests", "limits"].every((field) => {
    const amounts = podAmounts(spec, field as "requests" | "limits");
    return ["cpu", "memory"].every((name) => (amounts.get(name)?.nano ?? 0n) === 0n);
  });
}

function matches(scope: Json, value: string): boolean {
  const values = listAt(scope, "values").map(String);
  switch (textAt(scope, "operator")) {
    case "In":
      return values.includes(value);
    case "NotIn":
      return !values.includes(value);
    case "Exists":
      return value !== "";
    case "DoesNotExist":
      return value === "";
    default:
      return false;
  }
}
