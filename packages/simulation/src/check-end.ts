import { type KubeObject, listAt, parseQuantity, textAt, valueAt } from "@boxship/api";
import { type ApiClient, keyOf } from "@boxship/client";
import { isReady, matcherOf } from "./check-step.ts";
import type { Observer } from "./observer.ts";
import { STARTS_AFTER } from "./simulated-kubelets.ts";

const WORKLOADS = [
  ["apps", "deployments"],
  ["apps", "replicasets"],
  ["apps", "statefulsets"],
] as const;
const OWNERS = [...WORKLOADS, ["apps", "daemonsets"], ["batch", "jobs"], ["", "replicationcontrollers"]] as const;

/** What must be true when nothing has gone wrong for a while: nothing lost, nothing left over, every status right. */
export async function checkEnd(client: ApiClient, observer: Observer): Promise<readonly string[]> {
  const violations: string[] = [];
  const list = async (group: string, resource: string): Promise<readonly KubeObject[]> =>
    (await client.list({ group, version: "v1", resource })).items;
  const uids = new Set<string>();
  for (const [group, resource] of OWNERS) {
    for (const { metadata } of await list(group, resource)) uids.add(metadata.uid ?? "");
  }
  for (const pod of observer.pods()) {
    const owner = pod.metadata.ownerReferences?.find(({ controller }) => controller === true);
    if (owner !== undefined && !uids.has(owner.uid)) {
      violations.push(`pod ${keyOf(pod)} is left over of ${owner.kind} ${owner.name}`);
    }
    if (textAt(pod, "spec", "nodeName") !== "" && textAt(pod, "status", "phase") === "Pending" && !isMeantToWait(pod)) {
      violations.push(`pod ${keyOf(pod)} has a node and does not start`);
    }
  }
  for (const [group, resource] of WORKLOADS) {
    for (const object of await list(group, resource)) violations.push(...checkWorkload(object, observer));
  }
  for (const quota of await list("", "resourcequotas")) {
    const hard = valueAt(quota, "status", "hard") ?? {};
    for (const name of Object.keys(hard)) {
      const [used, most] = ["used", "hard"].map(
        (part) => parseQuantity(textAt(quota, "status", part, name))?.nano ?? 0n,
      );
      if ((used ?? 0n) > (most ?? 0n)) violations.push(`quota ${keyOf(quota)} is exceeded: ${name}`);
    }
  }
  violations.push(...checkBudgets(observer), ...checkJobs(observer), ...checkScaled(observer));
  for (const node of await list("", "nodes")) {
    const ready = listAt(node, "status", "conditions").find((one) => textAt(one, "type") === "Ready");
    if (textAt(ready, "status") !== "True") violations.push(`node ${keyOf(node)} is well and is not said to be`);
  }
  return violations;
}

/** Says itself how long it takes to start. */
const isMeantToWait = (pod: KubeObject): boolean =>
  textAt(pod, "status", "phase") === "Pending" && pod.metadata.annotations?.[STARTS_AFTER] !== undefined;

/** What budgets count is what there is. */
function checkBudgets(observer: Observer): readonly string[] {
  return observer.all("poddisruptionbudgets").flatMap((budget) => {
    const matches = matcherOf(budget);
    const { namespace } = budget.metadata;
    const healthy = [...observer.pods()].filter(
      (pod) => pod.metadata.namespace === namespace && matches(pod.metadata.labels ?? {}) && isReady(pod),
    ).length;
    const told = Number(valueAt(budget, "status", "currentHealthy") ?? 0);
    return told === healthy ? [] : [`budget ${keyOf(budget)} counts ${told} healthy pods of ${healthy}`];
  });
}

/** A job has ended, or something of it runs. */
function checkJobs(observer: Observer): readonly string[] {
  return observer.all("jobs").flatMap((job) => {
    const hasEnded = listAt(job, "status", "conditions").some(
      (one) => ["Complete", "Failed"].includes(textAt(one, "type")) && textAt(one, "status") === "True",
    );
    const own = [...observer.pods()].some(({ metadata: { ownerReferences = [] } }) =>
      ownerReferences.some(({ uid }) => uid === job.metadata.uid),
    );
    return hasEnded || own || valueAt(job, "spec", "suspend") === true
      ? []
      : [`job ${keyOf(job)} neither runs nor ends`];
  });
}

/** What is scaled has as many replicas as its autoscaler says, within its bounds. */
function checkScaled(observer: Observer): readonly string[] {
  return observer.all("horizontalpodautoscalers").flatMap((scaler) => {
    const name = textAt(scaler, "spec", "scaleTargetRef", "name");
    const target = observer.all("deployments").find(({ metadata }) => metadata.name === name);
    const has = Number(valueAt(target, "spec", "replicas") ?? 0);
    const [least, most] = [
      Number(valueAt(scaler, "spec", "minReplicas") ?? 1),
      Number(valueAt(scaler, "spec", "maxReplicas")),
    ];
    const wanted = Number(valueAt(scaler, "status", "desiredReplicas") ?? 0);
    return target === undefined || (has === wanted && has >= least && has <= most)
      ? []
      : [`${name} has ${has} replicas, its autoscaler wants ${wanted} from ${least} to ${most}`];
  });
}

function checkWorkload(object: KubeObject, observer: Observer): readonly string[] {
  const what = `${object.kind} ${keyOf(object)}`;
  const wanted = Number(valueAt(object, "spec", "replicas") ?? 1);
  const has = (field: string): number => Number(valueAt(object, "status", field) ?? 0);
  if (has("observedGeneration") !== (object.metadata.generation ?? 0)) return [`${what} has not been looked at`];
  // A quota keeps it from more, and it says so.
  const isKept = listAt(object, "status", "conditions").some(
    (one) => textAt(one, "type") === "ReplicaFailure" && textAt(one, "status") === "True",
  );
  if (has("replicas") !== wanted && !isKept) return [`${what} has ${has("replicas")} pods of ${wanted}`];
  // Pods for which there is no room wait, and whose they are is no fault.
  const waits = [...observer.pods()].some((pod) => textAt(pod, "spec", "nodeName") === "" || isMeantToWait(pod));
  return waits || isKept || has("readyReplicas") === wanted
    ? []
    : [`${what} has ${has("readyReplicas")} ready pods of ${wanted}`];
}
