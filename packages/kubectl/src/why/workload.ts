import { type KubeObject, textAt, valueAt } from "@boxship/api";
import type { Cause } from "./cause.ts";
import { conditionOf, type Facts, nameOf, within } from "./facts.ts";
import { whyPod } from "./pod.ts";
import { whyUnselected } from "./unschedulable.ts";

/** Pods whose causes are told; the others' are the same mostly. */
const MOST_PODS = 3;

/** Why a Deployment, ReplicaSet, StatefulSet, DaemonSet or Job has not what it should have. */
export async function whyWorkload(facts: Facts, object: KubeObject): Promise<readonly Cause[]> {
  const causes: Cause[] = [];
  const { name } = object.metadata;
  if (valueAt(object, "spec", "paused") === true)
    causes.push({ says: "its rollout is paused", help: [`kubectl rollout resume ${nameOf(object)}${within(object)}`] });
  if (valueAt(object, "spec", "suspend") === true) {
    const patch = `kubectl patch ${object.kind.toLowerCase()} ${name}${within(object)} -p '{"spec":{"suspend":false}}'`;
    causes.push({ says: "it is suspended", help: [patch] });
  }
  for (const type of ["Failed", "Progressing"]) {
    const condition = conditionOf(object, type);
    const bad = type === "Failed" ? "True" : "False";
    if (condition !== undefined && textAt(condition, "status") === bad)
      causes.push({ says: textAt(condition, "message") });
  }
  causes.push(...whyHeldBack(object), ...(await whyNowhere(facts, object)));
  const refused = await facts.told(object, "FailedCreate");
  if (refused !== undefined && isShort(object))
    causes.push({ says: "its pods are refused", causes: [whyRefused(object, refused)] });
  for (const set of await facts.controlledBy(object, "apps", "replicasets")) {
    if (valueAt(set, "spec", "replicas") === 0) continue;
    const behind = await whyWorkload(facts, set);
    if (behind.length > 0) causes.push({ says: `${nameOf(set)} is not complete`, causes: behind });
  }
  if (object.kind !== "Deployment")
    causes.push(...(await whyPods(facts, await facts.controlledBy(object, "", "pods"))));
  return causes;
}

/** Why a CronJob makes no jobs, or why the last one failed. */
export async function whyCronJob(facts: Facts, object: KubeObject): Promise<readonly Cause[]> {
  const jobs = await facts.controlledBy(object, "batch", "jobs");
  const last = jobs.toSorted((a, b) =>
    (a.metadata.creationTimestamp ?? "") < (b.metadata.creationTimestamp ?? "") ? 1 : -1,
  );
  const causes = last[0] === undefined ? [] : await whyWorkload(facts, last[0]);
  const own = await whyWorkload(facts, object);
  return causes.length === 0
    ? own
    : [...own, { says: `its last ${nameOf(last[0] as KubeObject)} is not well`, causes }];
}

/** Pods of an old template that stay because the object says so. */
function whyHeldBack(object: KubeObject): readonly Cause[] {
  const wanted = valueAt(object, "status", "desiredNumberScheduled") ?? valueAt(object, "spec", "replicas");
  const updated = valueAt(object, "status", "updatedNumberScheduled") ?? valueAt(object, "status", "updatedReplicas");
  if (object.kind !== "StatefulSet" && object.kind !== "DaemonSet") return [];
  if (number(updated) >= number(wanted)) return [];
  if (textAt(object, "spec", "updateStrategy", "type") === "OnDelete") {
    const help = [`kubectl delete pod NAME${within(object)}`];
    return [{ says: "pods of an older template stay until somebody deletes them (updateStrategy OnDelete)", help }];
  }
  const partition = number(valueAt(object, "spec", "updateStrategy", "rollingUpdate", "partition"));
  if (partition === 0) return [];
  return [{ says: `pods below number ${partition} keep the older template (updateStrategy.rollingUpdate.partition)` }];
}

/** Why a DaemonSet has no node. */
async function whyNowhere(facts: Facts, object: KubeObject): Promise<readonly Cause[]> {
  if (object.kind !== "DaemonSet" || number(valueAt(object, "status", "desiredNumberScheduled")) > 0) return [];
  const nodes = await facts.list("", "nodes");
  const pod = { ...object, spec: valueAt(object, "spec", "template", "spec") ?? {} } as KubeObject;
  return [whyUnselected(pod, "no node is fit for its pods: see its node affinity and tolerations", nodes)];
}

/** Causes of the pods that are not well. */
export async function whyPods(facts: Facts, pods: readonly KubeObject[]): Promise<readonly Cause[]> {
  const causes: Cause[] = [];
  for (const pod of pods) {
    const isReady = textAt(conditionOf(pod, "Ready") ?? {}, "status") === "True";
    if (isReady || textAt(pod, "status", "phase") === "Succeeded" || !facts.first(pod)) continue;
    const behind = await whyPod(facts, pod);
    const how = textAt(pod, "status", "phase") === "Failed" ? "has failed" : "is not ready";
    if (behind.length > 0) causes.push({ says: `${nameOf(pod)} ${how}`, causes: behind });
    if (causes.length === MOST_PODS) break;
  }
  return causes;
}

const number = (value: unknown): number => (typeof value === "number" ? value : 0);

function isShort(object: KubeObject): boolean {
  if (object.kind === "Job") return number(valueAt(object, "status", "active")) === 0;
  const wanted = valueAt(object, "status", "desiredNumberScheduled") ?? valueAt(object, "spec", "replicas");
  const there = valueAt(object, "status", "currentNumberScheduled") ?? valueAt(object, "status", "replicas");
  return number(there) < number(wanted);
}

/** Who refused to have pods made. */
function whyRefused(object: KubeObject, message: string): Cause {
  const flag = within(object);
  const [, quota, asked, used, limited] =
    /exceeded quota: ([^,]+), requested: (.+), used: (.+), limited: (.+)$/.exec(message) ?? [];
  if (quota !== undefined) {
    return {
      says: `quota ${quota} leaves no room: a pod asks for ${asked}, ${used} is used, ${limited} is allowed`,
      help: [`kubectl describe resourcequota ${quota}${flag}`],
    };
  }
  const [, failed] = /failed quota: ([^:]+): must specify/.exec(message) ?? [];
  if (failed !== undefined) {
    return {
      says: message.slice(message.indexOf("failed quota")),
      help: [`say in the pod's resources what quota ${failed} counts`],
    };
  }
  const [, level] = /violates PodSecurity "([^":]+)/.exec(message) ?? [];
  if (level !== undefined) {
    return {
      says: message.slice(message.indexOf("violates PodSecurity")),
      help: [`kubectl get namespace ${object.metadata.namespace} --show-labels says which level is enforced`],
    };
  }
  const [, webhook] = /admission webhook "([^"]+)" denied the request/.exec(message) ?? [];
  if (webhook !== undefined) return { says: `the admission webhook ${webhook} refuses them: ${message}` };
  const [, account] = /serviceaccount "([^"]+)" not found/i.exec(message) ?? [];
  if (account !== undefined)
    return { says: message, help: [`kubectl create serviceaccount ${account.split("/").at(-1)}${flag}`] };
  return { says: message };
}
