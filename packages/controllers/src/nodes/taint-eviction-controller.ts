import { timestamp, tolerates } from "@boxship/api";
import { NotFound } from "@boxship/base";
import { keyOf } from "@boxship/client";
import type { ControllerContext, ControllerDefinition, Reconcile } from "../contract.ts";
import { isTerminating } from "../shared/pods.ts";
import { NODES, PODS, refOf } from "../shared/resources.ts";
import { writeStatus } from "../shared/write-status.ts";
import type { Pod } from "../types/pod.ts";
import type { Node, Taint } from "../types/sets.ts";

/** Deletes pods from nodes whose taints they do not put up with, or not for so long. */
export const taintEvictionController: ControllerDefinition = { name: "taint-eviction-controller", open };

function open(context: ControllerContext): Reconcile {
  const { informers, queue, events, clock } = context;
  const pods = informers.of<Pod>(PODS);
  const nodes = informers.of<Node>(NODES);
  /** Pods whose end was set, and since when: milliseconds since 1970. */
  const doomed = new Map<string, number>();
  const add = (pod: Pod): void => {
    if (nodes.get(pod.spec?.nodeName ?? "") !== undefined) queue.add(keyOf(pod));
  };
  pods.handle({ added: add, updated: add, deleted: (pod) => doomed.delete(keyOf(pod)) });
  const onNode = ({ metadata }: Node): void => {
    for (const pod of pods.find("node", metadata.name ?? "")) queue.add(keyOf(pod));
  };
  nodes.handle({
    added: onNode,
    updated: (node, before) => {
      if (throwing(node).length + throwing(before).length > 0) onNode(node);
    },
  });
  return async (key) => {
    const pod = pods.get(key);
    const node = nodes.get(pod?.spec?.nodeName ?? "");
    if (pod === undefined || node === undefined || isTerminating(pod)) return;
    const now = clock.now();
    const since = doomed.get(key) ?? now;
    const left = patience(pod, throwing(node), since, now);
    if (left === undefined) {
      if (doomed.delete(key)) events.record(pod, "Normal", "TaintManagerEviction", `Cancelling deletion of Pod ${key}`);
      return;
    }
    if (left > 0) {
      doomed.set(key, since);
      queue.addAfter(key, left);
      return;
    }
    events.record(pod, "Normal", "TaintManagerEviction", `Marking for deletion Pod ${key}`);
    doomed.delete(key);
    await evict(context, pod);
  };
}

const throwing = ({ spec }: Node): readonly Taint[] =>
  (spec?.taints ?? []).filter(({ effect }) => effect === "NoExecute");

/** Milliseconds that the pod may stay; undefined: for ever. @param seen when it was first known that it may not for ever */
function patience({ spec }: Pod, taints: readonly Taint[], seen: number, now: number): number | undefined {
  const tolerations = spec?.tolerations ?? [];
  let least: number | undefined;
  for (const taint of taints) {
    const fitting = tolerations.filter((one) => tolerates(one, taint));
    if (fitting.length === 0) return 0;
    const seconds = fitting.flatMap(({ tolerationSeconds }) => tolerationSeconds ?? []);
    if (seconds.length === 0) continue;
    // Who taints by hand does not say when, or says what he likes.
    const added = Date.parse(taint.timeAdded ?? "");
    const since = Number.isNaN(added) ? seen : Math.min(added, seen);
    const left = since + Math.max(0, Math.min(...seconds)) * 1000 - now;
    least = Math.min(least ?? Number.POSITIVE_INFINITY, Math.max(0, left));
  }
  return least;
}

async function evict({ client, clock }: ControllerContext, pod: Pod): Promise<void> {
  const { uid = "" } = pod.metadata;
  const others = (pod.status?.conditions ?? []).filter(({ type }) => type !== "DisruptionTarget");
  const condition = {
    type: "DisruptionTarget",
    status: "True",
    reason: "DeletionByTaintManager",
    message: "Taint manager: deleting due to NoExecute taint",
    lastTransitionTime: timestamp(clock.now()),
  };
  try {
    await writeStatus(client, refOf(PODS, pod), pod, { ...pod.status, conditions: [...others, condition] });
    await client.delete(refOf(PODS, pod), { preconditions: { uid } });
  } catch (error) {
    if (!(error instanceof NotFound)) throw error;
  }
}
