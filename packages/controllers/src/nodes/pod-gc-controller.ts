import { textAt, timestamp } from "@boxship/api";
import { NotFound } from "@boxship/base";
import type { ControllerContext, ControllerDefinition, Reconcile } from "../contract.ts";
import { withCondition } from "../shared/conditions.ts";
import { byAge, conditionOf, isFinished, isTerminating } from "../shared/pods.ts";
import { NODES, PODS, refOf } from "../shared/resources.ts";
import { writeStatus } from "../shared/write-status.ts";
import type { Condition, Pod } from "../types/pod.ts";
import type { Node } from "../types/sets.ts";

const EVERY_MS = 20_000;
/** A node has to be gone for so long. */
const QUARANTINE_MS = 40_000;
/** Pods that have ended and are kept all the same. */
const MOST_ENDED = 12_500;
const KEY = "all";

const OUT_OF_SERVICE = "node.kubernetes.io/out-of-service";

/** Takes pods away that nobody else does: of nodes that are gone, of no node, and of those that have ended too many. */
export const podGarbageCollector: ControllerDefinition = podGarbageCollectorKeeping(MOST_ENDED);

/** @param most how many pods that have ended are kept */
export function podGarbageCollectorKeeping(most: number): ControllerDefinition {
  return { name: "pod-garbage-collector-controller", workers: 1, open: (context) => open(context, most) };
}

function open(context: ControllerContext, most: number): Reconcile {
  const { informers, queue, clock } = context;
  const pods = informers.of<Pod>(PODS);
  const nodes = informers.of<Node>(NODES);
  /** Nodes that pods are on and that are gone, and since when. */
  const gone = new Map<string, number>();
  const soon = (): void => queue.addAfter(KEY, EVERY_MS);
  const isDoubtful = (pod: Pod): boolean => isTerminating(pod) || isFinished(pod) || isLost(pod);
  const isLost = ({ spec }: Pod): boolean => spec?.nodeName !== undefined && nodes.get(spec.nodeName) === undefined;
  // While every pod is where it belongs, nobody looks.
  const seen = (pod: Pod): void => {
    if (isDoubtful(pod)) soon();
  };
  pods.handle({ added: seen, updated: seen });
  nodes.handle({ deleted: soon });
  return async () => {
    const now = clock.now();
    const lost = new Set([...pods.all()].filter(isLost).map(({ spec }) => spec?.nodeName ?? ""));
    for (const name of gone.keys()) if (!lost.has(name)) gone.delete(name);
    for (const name of lost) if (!gone.has(name)) gone.set(name, now);
    const ended: Pod[] = [];
    for (const pod of [...pods.all()]) {
      const since = gone.get(pod.spec?.nodeName ?? "");
      const node = pod.spec?.nodeName ?? "";
      if (since !== undefined && now - since >= QUARANTINE_MS) await removeLost(context, pod);
      else if (isTerminating(pod) && (node === "" || isOutOfService(nodes.get(node)))) await remove(context, pod);
      else if (isFinished(pod) && !isTerminating(pod)) ended.push(pod);
    }
    ended.sort((one, other) => Number(wasEvicted(other)) - Number(wasEvicted(one)) || byAge(one, other));
    for (const pod of ended.slice(0, Math.max(0, ended.length - most))) await remove(context, pod);
    if (lost.size > 0 || [...pods.all()].some(isTerminating)) soon();
  };
}

/** Somebody says that nothing runs there any more, and nothing there says otherwise. */
const isOutOfService = (node: Node | undefined): boolean =>
  conditionOf(node?.status, "Ready")?.status !== "True" &&
  node?.spec?.taints?.some(({ key }) => key === OUT_OF_SERVICE) === true;

const wasEvicted = ({ status }: Pod): boolean => status?.phase === "Failed" && textAt(status, "reason") === "Evicted";

async function removeLost(context: ControllerContext, pod: Pod): Promise<void> {
  const { client, clock } = context;
  // The cache may be behind.
  try {
    await client.get({ ...NODES, name: pod.spec?.nodeName ?? "" });
    return;
  } catch (error) {
    if (!(error instanceof NotFound)) throw error;
  }
  await remove(context, pod, {
    type: "DisruptionTarget",
    status: "True",
    reason: "DeletionByPodGC",
    message: "PodGC: node no longer exists",
    lastTransitionTime: timestamp(clock.now()),
  });
}

/** What has not ended has failed: whoever counts failures counts it. */
async function remove({ client }: ControllerContext, pod: Pod, why?: Condition): Promise<void> {
  const { uid = "" } = pod.metadata;
  try {
    if (!isFinished(pod)) {
      const present = pod.status?.conditions ?? [];
      const conditions = why === undefined ? present : withCondition(present, why);
      await writeStatus(client, refOf(PODS, pod), pod, { ...pod.status, phase: "Failed", conditions });
    }
    await client.delete(refOf(PODS, pod), { gracePeriodSeconds: 0, preconditions: { uid } });
  } catch (error) {
    if (!(error instanceof NotFound)) throw error;
  }
}
