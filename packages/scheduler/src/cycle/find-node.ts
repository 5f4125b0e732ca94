import { Internal } from "@boxship/base";
import type { ClusterState, Trial } from "../cluster/cluster-state.ts";
import type { NodeInfo } from "../cluster/node-info.ts";
import { MOST_SCORE, type NodeFilter, type Plugin, type Rejection } from "../plugin.ts";
import type { PodInfo } from "../pod/pod-info.ts";
import type { Profile } from "../profile.ts";

/** Why a pod goes nowhere. */
export interface Misfit {
  /** By node; empty where no node was asked. */
  readonly rejections: ReadonlyMap<string, Rejection>;
  /** What speaks against every node at once. */
  readonly everywhere?: Rejection;
  /** Plugins that kept it out: when what they look at changes, the pod is tried again. */
  readonly plugins: ReadonlySet<string>;
  readonly nodes: number;
}

/** Nodes that would do, with how good each is. */
export interface Candidates {
  readonly nodes: readonly NodeInfo[];
  readonly scores: Float64Array;
  /** What was said of the others that were asked. */
  readonly rejections: ReadonlyMap<string, Rejection>;
}

export type Found =
  | { readonly node: NodeInfo; readonly evaluated: number; readonly feasible: number }
  | { readonly misfit: Misfit };

/** With at most so many nodes, all are asked. */
const FEW_NODES = 100;
/** In percent; of a cluster of any size. */
const LEAST_SHARE = 5;

/** Enough nodes that would do: in a large cluster the best of some hundreds is good enough. */
export function nodesToFind(nodes: number): number {
  if (nodes <= FEW_NODES) return nodes;
  const share = Math.max(50 - Math.floor(nodes / 125), LEAST_SHARE);
  return Math.max(Math.floor((nodes * share) / 100), FEW_NODES);
}

/** Everything that is to be asked of a node on behalf of one pod. */
export interface Filters {
  readonly filters: readonly { readonly plugin: Plugin; readonly filter: NodeFilter }[];
  readonly everywhere?: { readonly plugin: Plugin; readonly rejection: Rejection };
}

export function prepareFilters(plugins: readonly Plugin[], pod: PodInfo, cluster: ClusterState): Filters {
  const filters: { plugin: Plugin; filter: NodeFilter }[] = [];
  for (const plugin of plugins) {
    const prepared = plugin.filter?.(pod, cluster);
    if (typeof prepared === "function") filters.push({ plugin, filter: prepared });
    else if (prepared !== undefined) return { filters: [], everywhere: { plugin, rejection: prepared } };
  }
  return { filters };
}

/** The first plugin that speaks against the node. */
export function ask({ filters }: Filters, node: NodeInfo): { plugin: Plugin; rejection: Rejection } | undefined {
  // Of hundreds of nodes for each pod: an iterator takes longer than most filters.
  for (let index = 0; index < filters.length; index++) {
    const one = filters[index];
    const rejection = one?.filter(node);
    if (one !== undefined && rejection !== undefined) return { plugin: one.plugin, rejection };
  }
  return undefined;
}

/** Pods that took others' places and wait for these to end, by the node that they were promised. */
export interface Promises {
  readonly size: number;
  on(nodeName: string): readonly PodInfo[];
}

/**
 * Whether a pod fits a node, also when those come that have been promised a place there and are as important: with them,
 * because they take room, and without them, because they may never come.
 */
export function fits(
  profile: Profile,
  pod: PodInfo,
  cluster: ClusterState,
  node: NodeInfo,
  filters: Filters,
  promises: Promises,
): { plugin: Plugin; rejection: Rejection } | undefined {
  if (promises.size === 0) return ask(filters, node);
  const promised = promises.on(node.name).filter((one) => one.uid !== pod.uid && one.priority >= pod.priority);
  if (promised.length > 0) {
    const against = cluster.trial((trial: Trial) => {
      for (const one of promised) trial.add(one, node);
      const crowded = prepareFilters(profile.plugins, pod, cluster);
      return crowded.everywhere ?? ask(crowded, node);
    });
    if (against !== undefined) return against;
  }
  return ask(filters, node);
}

/** Looks for the best node for a pod; goes on where it ended last time, so that every node has its turn. */
export class NodeFinder {
  readonly #cluster: ClusterState;
  readonly #promises: Promises;
  readonly #random: () => number;
  #next = 0;

  constructor(cluster: ClusterState, promises: Promises, random: () => number) {
    this.#cluster = cluster;
    this.#promises = promises;
    this.#random = random;
  }

  find(profile: Profile, pod: PodInfo, promisedNode?: string): Found {
    const filters = prepareFilters(profile.plugins, pod, this.#cluster);
    if (filters.everywhere !== undefined) return this.#nowhere(filters.everywhere);
    const own = promisedNode === undefined ? undefined : this.#cluster.node(promisedNode);
    if (own !== undefined && fits(profile, pod, this.#cluster, own, filters, this.#promises) === undefined) {
      return { node: own, evaluated: 1, feasible: 1 };
    }
    const { feasible, rejections, plugins, asked } = this.#search(profile, pod, filters);
    const best = this.#best(profile, pod, feasible);
    if (best === undefined) return { misfit: { rejections, plugins, nodes: this.#cluster.nodes.length } };
    return { node: best, evaluated: asked, feasible: feasible.length };
  }

  /** All that would do, for who has others to ask about them. */
  candidates(profile: Profile, pod: PodInfo): Candidates | { readonly misfit: Misfit } {
    const filters = prepareFilters(profile.plugins, pod, this.#cluster);
    if (filters.everywhere !== undefined) return this.#nowhere(filters.everywhere);
    const { feasible: nodes, rejections, plugins } = this.#search(profile, pod, filters);
    if (nodes.length === 0) return { misfit: { rejections, plugins, nodes: this.#cluster.nodes.length } };
    return { nodes, rejections, scores: scoresOf(profile, pod, this.#cluster, nodes) };
  }

  /** Whether a pod still fits a node. */
  stillFits(profile: Profile, pod: PodInfo, node: NodeInfo): boolean {
    if (this.#cluster.node(node.name) !== node) return false;
    const filters = prepareFilters(profile.plugins, pod, this.#cluster);
    return (
      filters.everywhere === undefined && fits(profile, pod, this.#cluster, node, filters, this.#promises) === undefined
    );
  }

  #nowhere({ plugin, rejection }: NonNullable<Filters["everywhere"]>): { readonly misfit: Misfit } {
    const { nodes } = this.#cluster;
    const rejections = new Map(nodes.map(({ name }) => [name, rejection]));
    return { misfit: { rejections, everywhere: rejection, plugins: new Set([plugin.name]), nodes: nodes.length } };
  }

  #search(profile: Profile, pod: PodInfo, filters: Filters) {
    const { nodes } = this.#cluster;
    const enough = profile.nodesToFind?.(nodes.length) ?? nodesToFind(nodes.length);
    const rejections = new Map<string, Rejection>();
    const plugins = new Set<string>();
    const feasible: NodeInfo[] = [];
    const isAlone = this.#promises.size === 0;
    let asked = 0;
    for (let at = this.#next; asked < nodes.length && feasible.length < enough; asked++, at++) {
      if (at >= nodes.length) at = 0;
      const node = nodes[at];
      if (node === undefined) break;
      const against = isAlone ? ask(filters, node) : fits(profile, pod, this.#cluster, node, filters, this.#promises);
      if (against === undefined) feasible.push(node);
      else {
        rejections.set(node.name, against.rejection);
        plugins.add(against.plugin.name);
      }
    }
    this.#next = nodes.length === 0 ? 0 : (this.#next + asked) % nodes.length;
    return { feasible, rejections, plugins, asked };
  }

  #best(profile: Profile, pod: PodInfo, feasible: readonly NodeInfo[]): NodeInfo | undefined {
    if (feasible.length <= 1) return feasible[0];
    return this.best(feasible, scoresOf(profile, pod, this.#cluster, feasible));
  }

  /** Of several that are equally good any: the load spreads. */
  best(feasible: readonly NodeInfo[], totals: Float64Array): NodeInfo | undefined {
    let [best, equals] = [0, 1];
    for (let index = 1; index < feasible.length; index++) {
      const [score, most] = [totals[index] ?? 0, totals[best] ?? 0];
      if (score > most) [best, equals] = [index, 1];
      else if (score === most && this.#random() * ++equals < 1) best = index;
    }
    return feasible[best];
  }
}

const invalidScore = ({ name }: Plugin, score: number): Internal =>
  new Internal(
    `plugin "${name}" returns an invalid score ${score}, it should in the range of [0, ${MOST_SCORE}] after normalizing`,
  );

/** Weighted sums over the profile's plugins. @throws Internal naming a plugin whose scores are none */
export function scoresOf(
  { plugins, weights }: Profile,
  pod: PodInfo,
  cluster: ClusterState,
  nodes: readonly NodeInfo[],
): Float64Array {
  const totals = new Float64Array(nodes.length);
  for (const plugin of plugins) {
    const weight = weights[plugin.name] ?? 0;
    const scores = weight === 0 ? undefined : plugin.score?.(pod, cluster, nodes);
    if (scores === undefined) continue;
    for (let index = 0; index < totals.length; index++) {
      const score = scores[index] ?? Number.NaN;
      if (!(score >= 0 && score <= MOST_SCORE)) throw invalidScore(plugin, score);
      totals[index] = (totals[index] ?? 0) + weight * score;
    }
  }
  return totals;
}
