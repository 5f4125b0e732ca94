import type { ClusterState } from "../cluster/cluster-state.ts";
import type { NodeInfo } from "../cluster/node-info.ts";
import type { DomainCounts, PodCount } from "../cluster/pod-counts.ts";
import { isNodeChange, type NodeFilter, type Plugin, type Rejection, reject, rejectFinally } from "../plugin.ts";
import { type AffinityTerm, type PodInfo, termMatches } from "../pod/pod-info.ts";
import { normalizeToRange } from "./normalize.ts";

const NO_AFFINITY = rejectFinally("node(s) didn't match pod affinity rules");
const ANTI_AFFINITY = reject("node(s) didn't match pod anti-affinity rules");
const OTHERS_ANTI_AFFINITY = reject("node(s) didn't satisfy existing pods anti-affinity rules");

export interface InterPodAffinityOptions {
  /** How much a pod's required affinity to others draws those others to it. */
  readonly requiredWeight: number;
  /** What pods that are there would merely like does not count. */
  readonly ignoresPreferredOfOthers: boolean;
}

/** Where namespaces are named by their labels, any may be meant. */
const mayMatch = (term: AffinityTerm, pod: PodInfo): boolean =>
  termMatches(term, pod, undefined) || (term.namespaceSelector !== undefined && term.selector.matches(pod.labels));

const countOf = (cluster: ClusterState, terms: readonly AffinityTerm[]): PodCount =>
  cluster.count({ id: `affinity ${terms.map(({ id }) => id).join(" ")}`, terms, onlyStaying: false });

interface Domain {
  readonly topologyKey: string;
  readonly counts: DomainCounts;
}

const isIn = ({ labels }: NodeInfo, { topologyKey, counts }: Domain): boolean => {
  const value = labels[topologyKey];
  return value !== undefined && (counts.get(value) ?? 0) > 0;
};

function affinityFilter(pod: PodInfo, cluster: ClusterState): NodeFilter | undefined {
  const forbidden: Domain[] = [];
  for (const { kind, topologyKey, inDomains } of cluster.wishesAbout(pod)) {
    if (kind === "requiredAnti") forbidden.push({ topologyKey, counts: inDomains });
  }
  const avoided = pod.requiredAntiAffinity.map(
    (term): Domain => ({ topologyKey: term.topologyKey, counts: countOf(cluster, [term]).inDomains(term.topologyKey) }),
  );
  const { requiredAffinity: near } = pod;
  if (forbidden.length + avoided.length + near.length === 0) return undefined;
  // Only pods that all terms mean are company.
  const company = near.length === 0 ? undefined : countOf(cluster, near);
  const wanted = near.map(
    ({ topologyKey }): Domain => ({ topologyKey, counts: company?.inDomains(topologyKey) ?? new Map() }),
  );
  // The first of a group that wants to be together has nobody to be near to.
  const labels = cluster.namespaceLabels(pod.namespace);
  const isFirst = near.length > 0 && company?.total === 0 && near.every((term) => termMatches(term, pod, labels));
  // Where nobody is, nobody has to be avoided.
  const [own, others] = [avoided, forbidden].map((all) => all.filter(({ counts }) => counts.size > 0));
  if (near.length === 0) return (node) => findAvoided(node, own, others);
  return (node) => {
    const hasKeys = near.every(({ topologyKey }) => Object.hasOwn(node.labels, topologyKey));
    if (!(hasKeys && (isFirst || wanted.every((domain) => isIn(node, domain))))) return NO_AFFINITY;
    return findAvoided(node, own, others);
  };
}

function findAvoided(
  node: NodeInfo,
  own: readonly Domain[] = [],
  others: readonly Domain[] = [],
): Rejection | undefined {
  for (let index = 0; index < own.length; index++) if (isIn(node, own[index] as Domain)) return ANTI_AFFINITY;
  for (let index = 0; index < others.length; index++)
    if (isIn(node, others[index] as Domain)) return OTHERS_ANTI_AFFINITY;
  return undefined;
}

/** What the pod prefers, and what the pods that are there would like of it. */
function affinityScore(
  pod: PodInfo,
  cluster: ClusterState,
  nodes: readonly NodeInfo[],
  { requiredWeight, ignoresPreferredOfOthers }: InterPodAffinityOptions,
): Float64Array | undefined {
  const parts: (Domain & { readonly weight: number })[] = [];
  const add = (term: AffinityTerm, weight: number): void => {
    const { topologyKey } = term;
    parts.push({ topologyKey, weight, counts: countOf(cluster, [term]).inDomains(topologyKey) });
  };
  for (const { term, weight } of pod.preferredAffinity) add(term, weight);
  for (const { term, weight } of pod.preferredAntiAffinity) add(term, -weight);
  for (const { kind, topologyKey, inDomains: counts } of cluster.wishesAbout(pod)) {
    if (kind === "required") parts.push({ topologyKey, counts, weight: requiredWeight });
    else if (ignoresPreferredOfOthers) continue;
    else if (kind === "preferred") parts.push({ topologyKey, counts, weight: 1 });
    else if (kind === "preferredAnti") parts.push({ topologyKey, counts, weight: -1 });
  }
  if (parts.every(({ counts }) => counts.size === 0)) return undefined;
  const weigh = ({ labels }: NodeInfo): number =>
    parts.reduce((sum, { topologyKey, counts, weight }) => {
      const value = labels[topologyKey];
      return value === undefined ? sum : sum + weight * (counts.get(value) ?? 0);
    }, 0);
  return normalizeToRange(Float64Array.from(nodes, weigh));
}

export const interPodAffinityBy = (options: InterPodAffinityOptions): Plugin => ({
  name: "InterPodAffinity",
  filter: affinityFilter,
  score: (pod, cluster, nodes) => affinityScore(pod, cluster, nodes, options),
  mayHelp(pod, change) {
    if (isNodeChange(change, "labels")) return true;
    if (change.kind === "podPlaced") return pod.requiredAffinity.some((term) => mayMatch(term, change.pod));
    if (change.kind !== "podGone") return false;
    // Also of those that it wants to be near to: where there are none left, it may be the first.
    return (
      [...pod.requiredAffinity, ...pod.requiredAntiAffinity].some((term) => mayMatch(term, change.pod)) ||
      change.pod.requiredAntiAffinity.some((term) => mayMatch(term, pod))
    );
  },
});

export const interPodAffinity: Plugin = interPodAffinityBy({ requiredWeight: 1, ignoresPreferredOfOthers: false });
