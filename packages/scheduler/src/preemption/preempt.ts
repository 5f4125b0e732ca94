import { type KubeObject, type LabelSelectorObject, textAt, valueAt } from "@boxship/api";
import type { ClusterState } from "../cluster/cluster-state.ts";
import type { NodeInfo } from "../cluster/node-info.ts";
import { countReasons } from "../cycle/describe-misfit.ts";
import { fits, type Misfit, type Promises, prepareFilters } from "../cycle/find-node.ts";
import { type Rejection, reject, rejectFinally } from "../plugin.ts";
import type { PodInfo } from "../pod/pod-info.ts";
import { type CompiledSelector, compileSelector } from "../pod/selectors.ts";
import type { Profile } from "../profile.ts";

/** A disruption budget as far as preemption minds it. */
export interface Budget {
  readonly namespace: string;
  readonly selector: CompiledSelector;
  /** How many pods may go now. */
  readonly allowed: number;
  /** Pods that are going already on its account. */
  readonly disrupted: ReadonlySet<string>;
}

export function budgetOf(object: KubeObject): Budget {
  const selector = valueAt(object, "spec", "selector") as LabelSelectorObject | undefined;
  return {
    namespace: object.metadata.namespace ?? "",
    selector: compileSelector(selector),
    allowed: Number(valueAt(object, "status", "disruptionsAllowed") ?? 0),
    disrupted: new Set(Object.keys(valueAt(object, "status", "disruptedPods") ?? {})),
  };
}

export interface Preemption {
  readonly node: NodeInfo;
  /** Most important first. */
  readonly victims: readonly PodInfo[];
  readonly violations: number;
}

export type PreemptionResult = { readonly chosen: Preemption } | { readonly message: string };

const NOT_HELPFUL = rejectFinally("Preemption is not helpful for scheduling");
const NO_VICTIMS = reject("No preemption victims found for incoming pod");

export interface PreemptionContext {
  readonly profile: Profile;
  readonly cluster: ClusterState;
  readonly promises: Promises;
  readonly budgets: readonly Budget[];
  /** A number from 0 to below 1: where the search among nodes begins. */
  readonly random: () => number;
}

/**
 * Looks for a node on which a pod would fit if less important ones went, and for the fewest of those. Nothing is changed.
 *
 * Of several nodes the one is chosen where the fewest budgets are broken, then whose most important victim is least
 * important, then with the smallest sum of priorities, the fewest victims, and last whose most important victims started
 * latest.
 */
export function preempt(pod: PodInfo, misfit: Misfit, context: PreemptionContext): PreemptionResult {
  const found = findPreemptions(pod, misfit, context);
  const best = "candidates" in found ? bestPreemption(found.candidates) : undefined;
  return best === undefined ? { message: found.message } : { chosen: best };
}

export const bestPreemption = (candidates: readonly Preemption[]): Preemption | undefined =>
  [...candidates].sort(comparePreemptions)[0];

export interface Preemptions {
  readonly candidates: readonly Preemption[];
  /** Why there is none. */
  readonly message: string;
}

/** All places that could be made, for who has others to ask about them. */
export function findPreemptions(
  pod: PodInfo,
  misfit: Misfit,
  context: PreemptionContext,
): Preemptions | { readonly message: string } {
  const { cluster, random, profile } = context;
  const { isOff = false, candidatePercent = 10, leastCandidates = 100 } = profile.preemption ?? {};
  const { nodes } = cluster;
  if (isOff) return { message: "" };
  if (pod.spec.preemptionPolicy === "Never") return { message: "not eligible due to preemptionPolicy=Never." };
  const promised = textAt(pod.pod, "status", "nominatedNodeName");
  if (isMadeRoomFor(pod, cluster.node(promised))) {
    return { message: "not eligible due to a terminating pod on the nominated node." };
  }
  const helpful = nodes.filter(({ name }) => misfit.rejections.get(name)?.isFinal === false);
  const enough = Math.max(1, leastCandidates, Math.floor((nodes.length * candidatePercent) / 100));
  const start = Math.floor(random() * helpful.length);
  const candidates: Preemption[] = [];
  const refused = new Map<string, Rejection>();
  for (let index = 0; index < helpful.length && candidates.length < enough; index++) {
    const node = helpful[(start + index) % helpful.length];
    if (node === undefined) break;
    const found = chooseVictims(pod, node, context);
    if ("node" in found) candidates.push(found);
    else refused.set(node.name, found);
  }
  for (const { name } of nodes) if (!refused.has(name)) refused.set(name, NOT_HELPFUL);
  return { candidates, message: `0/${nodes.length} nodes are available: ${countReasons(refused.values())}.` };
}

/** A less important pod on its promised node is going already: its place is waited for. */
const isMadeRoomFor = (pod: PodInfo, node: NodeInfo | undefined): boolean =>
  node !== undefined && [...node.pods.values()].some((one) => one.isTerminating && one.priority < pod.priority);

function chooseVictims(pod: PodInfo, node: NodeInfo, context: PreemptionContext): Preemption | Rejection {
  const { profile, cluster, promises, budgets } = context;
  const lesser = [...node.pods.values()].filter(({ priority }) => priority < pod.priority).sort(byImportance);
  if (lesser.length === 0) return NO_VICTIMS;
  return cluster.trial((trial) => {
    const fitsNow = (): Rejection | undefined => {
      const filters = prepareFilters(profile.plugins, pod, cluster);
      return filters.everywhere?.rejection ?? fits(profile, pod, cluster, node, filters, promises)?.rejection;
    };
    for (const one of lesser) trial.remove(one, node);
    const against = fitsNow();
    if (against !== undefined) return against;
    const [violating, others] = splitByBudgets(lesser, budgets);
    const victims: PodInfo[] = [];
    // Who may stay, stays: first those that a budget protects, then the important ones.
    const reprieve = (one: PodInfo): boolean => {
      trial.add(one, node);
      if (fitsNow() === undefined) return true;
      trial.remove(one, node);
      victims.push(one);
      return false;
    };
    const violations = violating.filter((one) => !reprieve(one)).length;
    for (const one of others) reprieve(one);
    return { node, victims: victims.sort(byImportance), violations };
  });
}

const startOf = ({ pod }: PodInfo): string => textAt(pod, "status", "startTime");

/** More important first: by priority, then who has run for longer. */
function byImportance(left: PodInfo, right: PodInfo): number {
  if (left.priority !== right.priority) return right.priority - left.priority;
  return startOf(left) < startOf(right) ? -1 : startOf(left) > startOf(right) ? 1 : 0;
}

/** Those whose going a budget forbids, and the others. */
function splitByBudgets(
  pods: readonly PodInfo[],
  budgets: readonly Budget[],
): readonly [readonly PodInfo[], readonly PodInfo[]] {
  const left = budgets.map(({ allowed }) => allowed);
  const [violating, others]: [PodInfo[], PodInfo[]] = [[], []];
  for (const pod of pods) {
    let breaks = false;
    for (const [index, { namespace, selector, disrupted }] of budgets.entries()) {
      if (namespace !== pod.namespace || Object.keys(pod.labels).length === 0 || !selector.matches(pod.labels))
        continue;
      if (disrupted.has(pod.pod.metadata.name ?? "")) continue;
      left[index] = (left[index] ?? 0) - 1;
      if ((left[index] ?? 0) < 0) breaks = true;
    }
    (breaks ? violating : others).push(pod);
  }
  return [violating, others];
}

/** Priorities may be negative: each counts from the least that there can be. */
const PRIORITY_OFFSET = 2 ** 31;

function comparePreemptions(left: Preemption, right: Preemption): number {
  const first = ({ victims }: Preemption): PodInfo | undefined => victims[0];
  const sum = ({ victims }: Preemption): number =>
    victims.reduce((total, { priority }) => total + priority + PRIORITY_OFFSET, 0);
  const earliest = (one: Preemption): string => {
    const top = first(one)?.priority;
    const starts = one.victims.filter(({ priority }) => priority === top).map(startOf);
    return starts.sort()[0] ?? "";
  };
  return (
    left.violations - right.violations ||
    (first(left)?.priority ?? 0) - (first(right)?.priority ?? 0) ||
    sum(left) - sum(right) ||
    left.victims.length - right.victims.length ||
    (earliest(left) > earliest(right) ? -1 : earliest(left) < earliest(right) ? 1 : 0)
  );
}
