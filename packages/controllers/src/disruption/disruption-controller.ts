import { deepEqual, matchesLabels, selectorOf, timestamp } from "@boxship/api";
import { errorMessage } from "@boxship/base";
import { keyOf } from "@boxship/client";
import type { ControllerContext, ControllerDefinition, Reconcile } from "../contract.ts";
import { conditionOf, isFinished, isReady, isTerminating } from "../shared/pods.ts";
import {
  DEPLOYMENTS,
  DISRUPTION_BUDGETS,
  PODS,
  REPLICA_SETS,
  REPLICATION_CONTROLLERS,
  refOf,
  STATEFUL_SETS,
} from "../shared/resources.ts";
import { ServedKinds } from "../shared/served-kinds.ts";
import { writeStatus } from "../shared/write-status.ts";
import type { DisruptionBudget, DisruptionStatus } from "../types/disruption.ts";
import type { Condition, Pod } from "../types/pod.ts";
import { expectedPods } from "./expected-pods.ts";

/** A pod that was let go counts as gone for so long; when it is still there then, it stays, and what was said of it is taken back. */
const LET_GO_MS = 120_000;
/** Keys of pods begin so; those of budgets have no colon. */
const POD_KEY = "pod:";

/** Says how many pods may be evicted. */
export const disruptionController: ControllerDefinition = { name: "disruption-controller", open };

function open(context: ControllerContext): Reconcile {
  const { informers, queue } = context;
  const kinds = new ServedKinds(informers);
  const budgets = informers.of<DisruptionBudget>(DISRUPTION_BUDGETS);
  const add = (budget: DisruptionBudget): void => queue.add(keyOf(budget));
  budgets.handle({ added: add, updated: add });
  const touched = (pod: Pod): void => {
    for (const budget of budgets.find("namespace", pod.metadata.namespace ?? "")) if (covers(budget, pod)) add(budget);
  };
  const pods = informers.of<Pod>(PODS);
  const noted = (pod: Pod): void => {
    const left = untilStale(pod, context.clock.now());
    if (left !== undefined) queue.addAfter(`${POD_KEY}${keyOf(pod)}`, left);
  };
  pods.handle({
    added: (pod) => {
      touched(pod);
      noted(pod);
    },
    updated: (pod, before) => {
      touched(pod);
      noted(pod);
      if (!deepEqual(pod.metadata.labels, before.metadata.labels)) touched(before);
    },
    deleted: touched,
  });
  for (const resource of [DEPLOYMENTS, REPLICA_SETS, STATEFUL_SETS, REPLICATION_CONTROLLERS]) {
    // Budgets that are parts of a scale change with it.
    informers.of(resource).handle({
      updated: ({ metadata }, before) => {
        if (metadata.generation === before.metadata.generation) return;
        for (const budget of budgets.find("namespace", metadata.namespace ?? "")) add(budget);
      },
    });
  }
  return async (key) => {
    if (key.startsWith(POD_KEY)) return await takeBack(context, pods.get(key.slice(POD_KEY.length)));
    const budget = budgets.get(key);
    if (budget !== undefined) await look(context, kinds, budget);
  };
}

const DISRUPTED = "DisruptionTarget";

/** Milliseconds until it is no longer believed that a pod is to go; undefined: nobody says so, or it goes, or its node said it. */
function untilStale({ metadata, status }: Pod, now: number): number | undefined {
  const { status: isTarget, reason, lastTransitionTime = "" } = conditionOf(status, DISRUPTED) ?? {};
  if (isTarget !== "True" || reason === "TerminationByKubelet") return undefined;
  if (metadata.deletionTimestamp !== undefined || ["Succeeded", "Failed"].includes(status?.phase ?? ""))
    return undefined;
  const since = Date.parse(lastTransitionTime);
  return Number.isNaN(since) ? 0 : Math.max(0, since + LET_GO_MS - now);
}

/** A pod that was to go and is still there is not to go. */
async function takeBack({ client, clock }: ControllerContext, pod: Pod | undefined): Promise<void> {
  if (pod === undefined || untilStale(pod, clock.now()) !== 0) return;
  const condition = {
    type: DISRUPTED,
    status: "False",
    lastProbeTime: null,
    lastTransitionTime: timestamp(clock.now()),
  };
  const conditions = (pod.status?.conditions ?? []).map((one) => (one.type === DISRUPTED ? condition : one));
  await writeStatus(client, refOf(PODS, pod), pod, { ...pod.status, conditions });
}

function covers({ spec }: DisruptionBudget, { metadata }: Pod): boolean {
  const selector = selectorOf(spec?.selector);
  return selector !== undefined && matchesLabels(selector, metadata.labels);
}

async function look(context: ControllerContext, kinds: ServedKinds, budget: DisruptionBudget): Promise<void> {
  const { informers, events } = context;
  const pods = informers
    .of<Pod>(PODS)
    .find("namespace", budget.metadata.namespace ?? "")
    .filter((pod) => covers(budget, pod) && !isFinished(pod));
  if (pods.length === 0) events.record(budget, "Normal", "NoPods", "No matching pods found");
  try {
    const {
      pods: expected,
      healthy,
      unmanaged,
    } = await expectedPods({ informers, kinds, client: context.client }, budget, pods);
    if (unmanaged.length > 0) {
      const words = `Pods selected by this PodDisruptionBudget (selector: ${JSON.stringify(budget.spec?.selector ?? {})}) were found to be unmanaged. As a result, the status of the PDB cannot be calculated correctly, which may result in undefined behavior. To account for these pods please set ".spec.minAvailable" field of the PDB to an integer value.`;
      events.record(budget, "Warning", "UnmanagedPods", words);
    }
    const disrupted = letGo(context, budget, pods);
    const current = pods.filter(
      (pod) => isReady(pod) && !isTerminating(pod) && disrupted[pod.metadata.name ?? ""] === undefined,
    ).length;
    const allowed = expected <= 0 ? 0 : Math.max(0, current - healthy);
    await write(context, budget, {
      disruptionsAllowed: allowed,
      currentHealthy: current,
      desiredHealthy: healthy,
      expectedPods: expected,
      ...(Object.keys(disrupted).length === 0 ? {} : { disruptedPods: disrupted }),
    });
  } catch (error) {
    const words = `Failed to calculate the number of expected pods: ${errorMessage(error)}`;
    events.record(budget, "Warning", "CalculateExpectedPodCountFailed", words);
    const numbers = { currentHealthy: 0, desiredHealthy: 0, expectedPods: 0, ...budget.status, disruptionsAllowed: 0 };
    await write(context, budget, numbers, errorMessage(error));
    throw error;
  }
}

/** Pods that the API has let go and that are not on their way out yet. */
function letGo({ clock, queue, events }: ControllerContext, budget: DisruptionBudget, pods: readonly Pod[]) {
  const kept: { [name: string]: string } = {};
  for (const [name, time] of Object.entries(budget.status?.disruptedPods ?? {})) {
    const pod = pods.find(({ metadata }) => metadata.name === name);
    const left = Date.parse(time) + LET_GO_MS - clock.now();
    if (pod === undefined || isTerminating(pod)) continue;
    if (left <= 0) {
      const words = `Pod was expected by PDB ${keyOf(budget)} to be deleted but it wasn't`;
      events.record(pod, "Warning", "NotDeleted", words);
      continue;
    }
    kept[name] = time;
    queue.addAfter(keyOf(budget), left);
  }
  return kept;
}

async function write(
  { client, clock }: ControllerContext,
  budget: DisruptionBudget,
  numbers: DisruptionStatus,
  failure?: string,
): Promise<void> {
  const { generation = 0 } = budget.metadata;
  const conditions = [conditionFor(budget, numbers.disruptionsAllowed, failure, timestamp(clock.now()))];
  const others = (budget.status?.conditions ?? []).filter(({ type }) => type !== "DisruptionAllowed");
  const status = { ...numbers, observedGeneration: generation, conditions: [...others, ...conditions] };
  if (deepEqual(status, budget.status ?? {})) return;
  await writeStatus(client, refOf(DISRUPTION_BUDGETS, budget), budget, status);
}

function conditionFor(budget: DisruptionBudget, allowed: number, failure: string | undefined, time: string): Condition {
  const [status, reason] =
    failure !== undefined
      ? ["False", "SyncFailed"]
      : allowed > 0
        ? ["True", "SufficientPods"]
        : ["False", "InsufficientPods"];
  const present = conditionOf(budget.status, "DisruptionAllowed");
  const kept = present?.status === status ? (present?.lastTransitionTime ?? time) : time;
  return {
    type: "DisruptionAllowed",
    status: status ?? "",
    reason: reason ?? "",
    message: failure ?? "",
    observedGeneration: budget.metadata.generation ?? 0,
    lastTransitionTime: kept,
  };
}
