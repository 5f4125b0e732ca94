import { deepEqual, matchesLabels, selectorOf, timestamp } from "@boxship/api";
import { Conflict, errorMessage, NotFound } from "@boxship/base";
import { keyOf } from "@boxship/client";
import type { ControllerContext, ControllerDefinition, Reconcile } from "../contract.ts";
import { withCondition } from "../shared/conditions.ts";
import { conditionOf, isReady, isTerminating } from "../shared/pods.ts";
import {
  DEPLOYMENTS,
  DISRUPTION_BUDGETS,
  PODS,
  REPLICA_SETS,
  REPLICATION_CONTROLLERS,
  refOf,
  STATEFUL_SETS,
} from "../shared/resources.ts";
import { selectorInGo } from "../shared/selector-text.ts";
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
  const { informers, queue, events } = context;
  const kinds = new ServedKinds(informers);
  const budgets = informers.of<DisruptionBudget>(DISRUPTION_BUDGETS);
  const add = (budget: DisruptionBudget): void => queue.add(keyOf(budget));
  budgets.handle({ added: add, updated: add });
  const touched = (pod: Pod): void => {
    const own = budgets.find("namespace", pod.metadata.namespace ?? "").filter((budget) => covers(budget, pod));
    for (const budget of own) add(budget);
    if (own.length <= 1) return;
    const names = own.map(({ metadata }) => `"${metadata.name}"`).sort();
    const { namespace, name } = pod.metadata;
    const words = `Pod "${namespace}"/"${name}" matches multiple PodDisruptionBudgets: ${names.join(", ")}. It cannot be evicted.`;
    events.record(pod, "Warning", "MultiplePodDisruptionBudgets", words);
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
const ALLOWED = "DisruptionAllowed";

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
  const { informers } = context;
  // Those that have ended count, too, as long as they are there.
  const pods = informers
    .of<Pod>(PODS)
    .find("namespace", budget.metadata.namespace ?? "")
    .filter((pod) => covers(budget, pod));
  try {
    await writeNumbers(context, budget, await count(context, kinds, budget, pods));
  } catch (error) {
    // Somebody has written meanwhile, and it is looked at anew.
    if (!(error instanceof Conflict || error instanceof NotFound)) await writeFailure(context, budget, error);
    throw error;
  }
}

async function count(
  context: ControllerContext,
  kinds: ServedKinds,
  budget: DisruptionBudget,
  pods: readonly Pod[],
): Promise<DisruptionStatus> {
  const { informers, events, client } = context;
  if (pods.length === 0) events.record(budget, "Normal", "NoPods", "No matching pods found");
  const expected = await expectedPods({ informers, kinds, client }, budget, pods).catch((error: unknown) => {
    const words = `Failed to calculate the number of expected pods: ${errorMessage(error)}`;
    events.record(budget, "Warning", "CalculateExpectedPodCountFailed", words);
    throw error;
  });
  if (expected.unmanaged.length > 0) {
    const words = `Pods selected by this PodDisruptionBudget (selector: ${selectorInGo(budget.spec?.selector)}) were found to be unmanaged. As a result, the status of the PDB cannot be calculated correctly, which may result in undefined behavior. To account for these pods please set ".spec.minAvailable" field of the PDB to an integer value.`;
    events.record(budget, "Warning", "UnmanagedPods", words);
  }
  const disrupted = letGo(context, budget, pods);
  const healthy = pods.filter(
    (pod) => isReady(pod) && !isTerminating(pod) && disrupted[pod.metadata.name ?? ""] === undefined,
  ).length;
  return {
    disruptionsAllowed: expected.pods <= 0 ? 0 : Math.max(0, healthy - expected.healthy),
    currentHealthy: healthy,
    desiredHealthy: expected.healthy,
    expectedPods: expected.pods,
    ...(Object.keys(disrupted).length === 0 ? {} : { disruptedPods: disrupted }),
  };
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

async function writeNumbers(
  context: ControllerContext,
  budget: DisruptionBudget,
  numbers: DisruptionStatus,
): Promise<void> {
  const { generation = 0 } = budget.metadata;
  const condition =
    numbers.disruptionsAllowed > 0
      ? ({ status: "True", reason: "SufficientPods" } as const)
      : ({ status: "False", reason: "InsufficientPods" } as const);
  await write(context, budget, { ...numbers, observedGeneration: generation }, { ...condition, message: "" });
}

/** Nothing may go while nobody knows how many have to stay; what was known before stays, also of which generation that was. */
async function writeFailure(context: ControllerContext, budget: DisruptionBudget, error: unknown): Promise<void> {
  const none = { currentHealthy: 0, desiredHealthy: 0, expectedPods: 0 };
  const condition = { status: "False", reason: "SyncFailed", message: errorMessage(error) };
  await write(context, budget, { ...none, ...budget.status, disruptionsAllowed: 0 }, condition);
}

async function write(
  { client, clock }: ControllerContext,
  budget: DisruptionBudget,
  told: DisruptionStatus,
  next: Required<Pick<Condition, "status" | "reason" | "message">>,
): Promise<void> {
  const condition = {
    type: ALLOWED,
    ...next,
    observedGeneration: told.observedGeneration ?? 0,
    lastTransitionTime: timestamp(clock.now()),
  };
  const status = { ...told, conditions: withCondition(budget.status?.conditions, condition) };
  if (deepEqual(status, budget.status ?? {})) return;
  await writeStatus(client, refOf(DISRUPTION_BUDGETS, budget), budget, status);
}
