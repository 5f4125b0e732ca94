import { deepCopy, timestamp } from "@boxship/api";
import { keyOf } from "@boxship/client";
import type { ControllerContext, ControllerDefinition, Reconcile } from "../contract.ts";
import { nodeOf } from "../daemonset/daemon-pods.ts";
import { conditionOf, isFinished, isTerminating, millisecondsOf } from "../shared/pods.ts";
import { LEASES, PODS, refOf } from "../shared/resources.ts";
import { writeStatus } from "../shared/write-status.ts";
import type { ContainerStatus, Pod, PodStatus } from "../types/pod.ts";

const BEAT = "beat";
const BEAT_MS = 10_000;

export interface FakeNodesOptions {
  /** Pods are put on them in turn. @default node-1 to node-3 */
  readonly nodes?: readonly string[];
  /** Seconds from a pod's binding until it is ready. @default 1 */
  readonly startsAfter?: number;
  /** Seconds from a pod's start until it ends, if it does. @default 5 */
  readonly runsFor?: number;
  /** The nodes say by leases that they are there. @default false */
  readonly beats?: boolean;
}

/**
 * In place of a scheduler and of nodes: binds pods and writes their status as a kubelet does, and nothing runs. The
 * image says what becomes of a pod: `exit-0`, `exit-3` (ends so after its time), `never-ready`; all others run.
 */
export function fakeNodes(options: FakeNodesOptions = {}): ControllerDefinition {
  const { nodes = ["node-1", "node-2", "node-3"], startsAfter = 1, runsFor = 5, beats = false } = options;
  let turn = 0;
  return {
    name: "nodes",
    open(context): Reconcile {
      const { informers, queue } = context;
      const pods = informers.of<Pod>(PODS);
      const add = (pod: Pod): void => queue.add(keyOf(pod));
      pods.handle({ added: add, updated: add });
      if (beats) queue.add(BEAT);
      return async (key) => {
        if (key === BEAT) {
          for (const node of nodes) await beat(context, node);
          queue.addAfter(BEAT, BEAT_MS);
          return;
        }
        const pod = pods.get(key);
        if (pod === undefined || (pod.spec?.schedulingGates ?? []).length > 0) return;
        if (isTerminating(pod)) await end(context, pod);
        else if ((pod.spec?.nodeName ?? "") === "")
          await bind(context, pod, nodeOf(pod) || (nodes[turn++ % nodes.length] ?? ""));
        else if (!isFinished(pod)) await go(context, pod, { startsAfter, runsFor });
      };
    },
  };
}

async function beat({ client, clock }: ControllerContext, name: string): Promise<void> {
  const metadata = { name, namespace: "kube-node-lease" };
  const spec = { renewTime: `${new Date(clock.now()).toISOString().slice(0, -1)}000Z` };
  const lease = { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata, spec };
  await client.patch({ ...LEASES, ...metadata }, "apply", lease, { fieldManager: "nodes", force: true });
}

async function bind({ client }: ControllerContext, pod: Pod, node: string): Promise<void> {
  const { name = "", namespace = "" } = pod.metadata;
  const binding = {
    apiVersion: "v1",
    kind: "Binding",
    metadata: { name, namespace },
    target: { apiVersion: "v1", kind: "Node", name: node },
  };
  await client.create({ ...PODS, namespace }, binding, { subresource: "binding" });
}

/** Ends within a second, its grace period or not, and is gone unless somebody holds it. */
async function end({ client, clock }: ControllerContext, pod: Pod): Promise<void> {
  if (!isFinished(pod) && (pod.metadata.finalizers ?? []).length > 0 && (pod.spec?.nodeName ?? "") !== "") {
    await writeStatus(client, refOf(PODS, pod), pod, ended(pod, 143, clock.now()));
    return;
  }
  if (pod.metadata.deletionGracePeriodSeconds === 0) return;
  await client.delete(refOf(PODS, pod), { gracePeriodSeconds: 0 });
}

async function go(
  { client, clock, queue }: ControllerContext,
  pod: Pod,
  { startsAfter, runsFor }: Required<Pick<FakeNodesOptions, "runsFor" | "startsAfter">>,
): Promise<void> {
  const now = clock.now();
  const ref = refOf(PODS, pod);
  const bound = conditionOf(pod.status, "PodScheduled")?.lastTransitionTime ?? pod.metadata.creationTimestamp;
  const image = pod.spec?.containers?.[0]?.image ?? "";
  const exit = /^exit-(\d+)/.exec(image);
  const started = millisecondsOf(bound) + startsAfter * 1000;
  if (now < started) {
    queue.addAfter(keyOf(pod), started - now);
    return;
  }
  if (pod.status?.phase !== "Running") {
    await writeStatus(client, ref, pod, running(pod, image !== "never-ready", now));
    if (exit !== null) queue.addAfter(keyOf(pod), runsFor * 1000);
    return;
  }
  if (exit === null) return;
  const over = millisecondsOf(pod.status.startTime) + runsFor * 1000;
  if (now < over) queue.addAfter(keyOf(pod), over - now);
  else await writeStatus(client, ref, pod, ended(pod, Number(exit[1]), now));
}

function running(pod: Pod, ready: boolean, now: number): PodStatus {
  const time = timestamp(now);
  // Of its uid: others have others.
  const hex = (pod.metadata.uid ?? "").replaceAll("-", "");
  const ip = `10.${[0, 2, 4].map((digit) => Number.parseInt(hex.slice(digit, digit + 2), 16) || 0).join(".")}`;
  return {
    ...deepCopy(pod.status ?? {}),
    phase: "Running",
    startTime: time,
    podIP: ip,
    podIPs: [{ ip }],
    conditions: [
      ...(pod.status?.conditions ?? []).filter(({ type }) => type !== "Ready"),
      { type: "Ready", status: ready ? "True" : "False", lastTransitionTime: time, lastProbeTime: null },
    ],
    containerStatuses: statuses(pod, { running: { startedAt: time } }, ready),
  };
}

function ended(pod: Pod, exitCode: number, now: number): PodStatus {
  const time = timestamp(now);
  const terminated = { exitCode, reason: exitCode === 0 ? "Completed" : "Error", finishedAt: time, startedAt: time };
  return {
    ...deepCopy(pod.status ?? {}),
    phase: exitCode === 0 ? "Succeeded" : "Failed",
    conditions: [
      ...(pod.status?.conditions ?? []).filter(({ type }) => type !== "Ready"),
      { type: "Ready", status: "False", lastTransitionTime: time, lastProbeTime: null },
    ],
    containerStatuses: statuses(pod, { terminated }, false),
  };
}

function statuses(pod: Pod, state: NonNullable<ContainerStatus["state"]>, ready: boolean): ContainerStatus[] {
  return (pod.spec?.containers ?? []).map(({ name, image = "" }) => ({
    name,
    image,
    imageID: "",
    ready,
    restartCount: 0,
    state,
  }));
}
