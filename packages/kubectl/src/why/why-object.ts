import { type KubeObject, listAt, textAt, valueAt } from "@boxship/api";
import type { Cause } from "./cause.ts";
import { whyClaim } from "./claim.ts";
import { whyDeleting } from "./deleting.ts";
import { conditionOf, type Facts, within } from "./facts.ts";
import { whyPod } from "./pod.ts";
import { whyCronJob, whyPods, whyWorkload } from "./workload.ts";

type Why = (facts: Facts, object: KubeObject) => Promise<readonly Cause[]>;

const KINDS: Readonly<Record<string, Why>> = {
  Pod: whyPod,
  PersistentVolumeClaim: whyClaim,
  Service: whyService,
  Node: whyNode,
  "Deployment.apps": whyWorkload,
  "ReplicaSet.apps": whyWorkload,
  "StatefulSet.apps": whyWorkload,
  "DaemonSet.apps": whyWorkload,
  "Job.batch": whyWorkload,
  "CronJob.batch": whyCronJob,
  ReplicationController: whyWorkload,
};

/** Why an object is not as it should be; nothing where it is. */
export async function whyObject(facts: Facts, object: KubeObject, group: string): Promise<readonly Cause[]> {
  facts.first(object);
  const known = KINDS[group === "" ? object.kind : `${object.kind}.${group}`] ?? whyAny;
  const deleting = await whyDeleting(facts, object);
  return [...deleting, ...(deleting.length > 0 && object.kind !== "Pod" ? [] : await known(facts, object))];
}

async function whyService(facts: Facts, service: KubeObject): Promise<readonly Cause[]> {
  const { namespace = "" } = service.metadata;
  const selector = Object.entries((valueAt(service, "spec", "selector") ?? {}) as Record<string, string>);
  if (selector.length === 0) return [];
  const labels = selector.map(([key, value]) => `${key}=${value}`).join(",");
  const pods = await facts.list("", "pods", namespace, { labelSelector: labels });
  if (pods.length === 0) {
    return [
      {
        says: `nobody is behind it: no pod has the labels ${labels}`,
        help: [`kubectl get pods${within(service)} --show-labels`],
      },
    ];
  }
  const causes = await whyPods(facts, pods);
  const isReady = (pod: KubeObject): boolean => textAt(conditionOf(pod, "Ready") ?? {}, "status") === "True";
  const ready = pods.filter(isReady).length;
  if (ready === 0)
    return [{ says: `nobody is behind it: none of ${pods.length} pods with ${labels} is ready`, causes }];
  const missing = listAt(service, "spec", "ports").flatMap((port) => {
    const target = valueAt(port, "targetPort");
    const named = pods.some((pod) =>
      listAt(pod, "spec", "containers").some((one) =>
        listAt(one, "ports").some((own) => textAt(own, "name") === target),
      ),
    );
    return typeof target === "string" && !named ? [{ says: `no container has a port that is named ${target}` }] : [];
  });
  return [...missing, ...causes];
}

const GOOD: Readonly<Record<string, string>> = { Ready: "True" };

function whyNode(_facts: Facts, node: KubeObject): Promise<readonly Cause[]> {
  const { name } = node.metadata;
  const bad = listAt(node, "status", "conditions").filter(
    (one) => textAt(one, "status") !== (GOOD[textAt(one, "type")] ?? "False"),
  );
  const causes: Cause[] = bad.map((one) => ({
    says: `${textAt(one, "type")} is ${textAt(one, "status")}: ${textAt(one, "message")}`,
    ...(textAt(one, "message").includes("runtime is down")
      ? { help: ["boxship info starts the engine and tells how it is"] }
      : {}),
  }));
  if (valueAt(node, "spec", "unschedulable") === true)
    causes.push({ says: "it is cordoned: it takes no pods", help: [`kubectl uncordon ${name}`] });
  return Promise.resolve(causes);
}

/** Conditions that tell of something bad when they are true. */
const BAD =
  /^(Failed|Failure|Degraded|Stalled|Denied|ScalingLimited|Paused|.*(Failed|Failure|Pressure|Unavailable|Violation))$/;

/** Any other kind: conditions that are not as they should be, and what was warned of last. */
async function whyAny(facts: Facts, object: KubeObject): Promise<readonly Cause[]> {
  const conditions = listAt(object, "status", "conditions")
    .filter((one) => textAt(one, "status") === (BAD.test(textAt(one, "type")) ? "True" : "False"))
    .map((one) => {
      const words = textAt(one, "message") || textAt(one, "reason");
      return { says: `${textAt(one, "type")} is ${textAt(one, "status")}${words === "" ? "" : `: ${words}`}` };
    });
  const warned = (await facts.events(object)).find((event) => textAt(event, "type") === "Warning");
  return [
    ...conditions,
    ...(warned === undefined ? [] : [{ says: `${textAt(warned, "reason")}: ${textAt(warned, "message")}` }]),
  ];
}
