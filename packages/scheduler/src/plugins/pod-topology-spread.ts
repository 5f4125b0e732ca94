import { findUntolerated } from "@boxship/api";
import type { ClusterState } from "../cluster/cluster-state.ts";
import type { NodeInfo } from "../cluster/node-info.ts";
import type { DomainCounts, PodCount } from "../cluster/pod-counts.ts";
import { isNodeChange, type NodeFilter, type Plugin, reject, rejectFinally } from "../plugin.ts";
import type { PodInfo, SpreadConstraint } from "../pod/pod-info.ts";
import type { TopologySpreadConstraint } from "../pod/types.ts";

const SKEWED = reject("node(s) didn't match pod topology spread constraints");
const NO_LABEL = rejectFinally("node(s) didn't match pod topology spread constraints (missing required label)");

/** A node for every value: counting by domain would be counting by node. */
const HOSTNAME = "kubernetes.io/hostname";

export interface SpreadOptions {
  /** For pods that say nothing, and that are of a service or a workload. */
  readonly defaults: readonly Omit<TopologySpreadConstraint, "labelSelector">[];
  /** Of the defaults: nodes that do not have all labels count by those that they have. */
  readonly isLenient: boolean;
}

/** Upstream's: a little over zones, a little over hosts, where there is a choice. */
export const SYSTEM_CONSTRAINTS: SpreadOptions["defaults"] = [
  { topologyKey: HOSTNAME, whenUnsatisfiable: "ScheduleAnyway", maxSkew: 3 },
  { topologyKey: "topology.kubernetes.io/zone", whenUnsatisfiable: "ScheduleAnyway", maxSkew: 5 },
];

function constraintsOf(
  pod: PodInfo,
  kind: SpreadConstraint["whenUnsatisfiable"],
  cluster: ClusterState,
  { defaults }: SpreadOptions,
): readonly SpreadConstraint[] {
  if (pod.spread.length > 0) return pod.spread.filter(({ whenUnsatisfiable }) => whenUnsatisfiable === kind);
  const wanted = defaults.filter(({ whenUnsatisfiable }) => whenUnsatisfiable === kind);
  const selector = wanted.length === 0 ? undefined : cluster.owners.selectorFor(pod);
  return selector === undefined ? [] : wanted.map((constraint) => ({ ...constraint, selector }));
}

/** Pods that a constraint counts: those that stay, in the pod's own namespace. */
function countFor(pod: PodInfo, { selector }: SpreadConstraint, cluster: ClusterState): PodCount {
  const id = `spread ${pod.namespace} ${selector.text}`;
  const term = { selector, topologyKey: "", namespaces: new Set([pod.namespace]), id };
  return cluster.count({ id, terms: [term], onlyStaying: true });
}

/** Whether the nodes that a constraint counts are all that the cluster has. */
function countsAll(pod: PodInfo, constraint: SpreadConstraint): boolean {
  const { nodeAffinityPolicy = "Honor", nodeTaintsPolicy = "Ignore" } = constraint;
  return (nodeAffinityPolicy === "Ignore" || pod.requiredNode === undefined) && nodeTaintsPolicy === "Ignore";
}

function isCounted(pod: PodInfo, constraint: SpreadConstraint, node: NodeInfo): boolean {
  const { nodeAffinityPolicy = "Honor", nodeTaintsPolicy = "Ignore" } = constraint;
  if (nodeAffinityPolicy === "Honor" && pod.requiredNode?.(node) === false) return false;
  if (nodeTaintsPolicy === "Ignore") return true;
  const { taints = [] } = node.spec;
  return findUntolerated(taints, pod.spec.tolerations ?? [], ["NoSchedule", "NoExecute"]) === undefined;
}

const hasLabels = ({ labels }: NodeInfo, keys: readonly string[]): boolean =>
  keys.every((key) => Object.hasOwn(labels, key));

/** Pods by domain, and how many domains there are; of nodes that have all labels and that count. */
function countDomains(
  pod: PodInfo,
  constraint: SpreadConstraint,
  keys: readonly string[],
  cluster: ClusterState,
): { readonly counts: DomainCounts; readonly domains: DomainCounts } {
  const { topologyKey } = constraint;
  const count = countFor(pod, constraint, cluster);
  const everyNodeHasAll = keys.every((key) => cluster.nodesWithLabel(key) === cluster.nodes.length);
  if (everyNodeHasAll && countsAll(pod, constraint)) {
    return { counts: count.inDomains(topologyKey), domains: cluster.domains(topologyKey) };
  }
  const counts = new Map<string, number>();
  for (const node of cluster.nodes) {
    if (!hasLabels(node, keys) || !isCounted(pod, constraint, node)) continue;
    const domain = node.labels[topologyKey] ?? "";
    counts.set(domain, (counts.get(domain) ?? 0) + count.onNode(node.name));
  }
  return { counts, domains: counts };
}

function leastOf({ counts, domains }: ReturnType<typeof countDomains>, minDomains = 1): number {
  // Too few domains: those that are missing have no pod.
  if (domains.size < minDomains || counts.size < domains.size) return 0;
  let least = Number.POSITIVE_INFINITY;
  for (const amount of counts.values()) least = Math.min(least, amount);
  return least === Number.POSITIVE_INFINITY ? 0 : least;
}

function spreadFilter(pod: PodInfo, cluster: ClusterState, options: SpreadOptions): NodeFilter | undefined {
  const hard = constraintsOf(pod, "DoNotSchedule", cluster, options);
  if (hard.length === 0) return undefined;
  const keys = hard.map(({ topologyKey }) => topologyKey);
  const limits = hard.map((constraint) => {
    const found = countDomains(pod, constraint, keys, cluster);
    const own = constraint.selector.matches(pod.labels) ? 1 : 0;
    return { ...constraint, counts: found.counts, least: leastOf(found, constraint.minDomains), own };
  });
  return (node) => {
    let isSkewed = false;
    for (const { counts, least, own, maxSkew, topologyKey } of limits) {
      const value = node.labels[topologyKey];
      if (value === undefined) return NO_LABEL;
      if ((counts.get(value) ?? 0) + own - least > maxSkew) isSkewed = true;
    }
    return isSkewed ? SKEWED : undefined;
  };
}

/** Few pods in a node's domains are good; a node without the labels is worst. */
function spreadScore(
  pod: PodInfo,
  cluster: ClusterState,
  nodes: readonly NodeInfo[],
  options: SpreadOptions,
): Float64Array | undefined {
  const soft = constraintsOf(pod, "ScheduleAnyway", cluster, options);
  if (soft.length === 0) return undefined;
  const keys = soft.map(({ topologyKey }) => topologyKey);
  const isLenient = pod.spread.length === 0 && options.isLenient;
  const counted = isLenient ? nodes : nodes.filter((node) => hasLabels(node, keys));
  const parts = soft.map((constraint) => {
    const { topologyKey, maxSkew } = constraint;
    const isHost = topologyKey === HOSTNAME;
    const size = isHost ? counted.length : new Set(counted.map(({ labels }) => labels[topologyKey])).size;
    const count = countFor(pod, constraint, cluster);
    const needed = isLenient ? [topologyKey] : keys;
    const { counts } = isHost ? { counts: undefined } : countDomains(pod, constraint, needed, cluster);
    // Topologies of many domains have fewer pods in each: they are weighed up.
    const weight = Math.log(size + 2);
    return (node: NodeInfo): number => {
      if (isLenient && !Object.hasOwn(node.labels, topologyKey)) return 0;
      const amount = counts === undefined ? count.onNode(node.name) : (counts.get(node.labels[topologyKey] ?? "") ?? 0);
      return amount * weight + (maxSkew - 1);
    };
  });
  const raw = nodes.map((node) =>
    isLenient || hasLabels(node, keys) ? Math.round(parts.reduce((total, part) => total + part(node), 0)) : undefined,
  );
  const numbers = raw.filter((score) => score !== undefined);
  const [least, most] = [Math.min(...numbers), Math.max(...numbers)];
  return Float64Array.from(raw, (score) => {
    if (score === undefined) return 0;
    return most === 0 ? 100 : Math.floor((100 * (most + least - score)) / most);
  });
}

export const podTopologySpreadBy = (options: SpreadOptions): Plugin => ({
  name: "PodTopologySpread",
  filter: (pod, cluster) => spreadFilter(pod, cluster, options),
  score: (pod, cluster, nodes) => spreadScore(pod, cluster, nodes, options),
  mayHelp(pod, change) {
    if (isNodeChange(change, "labels", "taints") || change.kind === "nodeGone") return true;
    if (change.kind !== "podPlaced" && change.kind !== "podGone") return false;
    const { namespace, labels } = change.pod;
    if (namespace !== pod.namespace) return false;
    if (pod.spread.length === 0) return options.defaults.length > 0;
    return pod.spread.some(({ selector }) => selector.matches(labels));
  },
});

export const podTopologySpread: Plugin = podTopologySpreadBy({ defaults: SYSTEM_CONSTRAINTS, isLenient: true });
