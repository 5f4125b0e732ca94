import type { ClusterState } from "./cluster/cluster-state.ts";
import type { NodeInfo } from "./cluster/node-info.ts";
import type { PodInfo } from "./pod/pod-info.ts";

/** Why a pod cannot go to a node. */
export interface Rejection {
  /** In the words that users know, e.g. `Insufficient cpu`. */
  readonly reasons: readonly string[];
  /** Taking other pods away would not change it. */
  readonly isFinal: boolean;
}

export const reject = (...reasons: string[]): Rejection => ({ reasons, isFinal: false });
export const rejectFinally = (...reasons: string[]): Rejection => ({ reasons, isFinal: true });

/** Asked of each node in turn; undefined: nothing against it. */
export type NodeFilter = (node: NodeInfo) => Rejection | undefined;

/** What happened in the cluster that may let pods fit that did not. */
export type Change =
  | { readonly kind: "nodeAdded"; readonly node: NodeInfo }
  | { readonly kind: "nodeChanged"; readonly node: NodeInfo; readonly what: ReadonlySet<NodeAspect> }
  | { readonly kind: "nodeGone"; readonly name: string }
  /** A pod with a place came, or has other labels. */
  | { readonly kind: "podPlaced"; readonly pod: PodInfo }
  /** It went, ended, asks for less, or no longer has these labels; or one that was promised a place went. */
  | { readonly kind: "podGone"; readonly pod: PodInfo }
  /** Of volumes, classes and drivers; or of a single claim, by its key. */
  | { readonly kind: "volumes"; readonly claim?: string };

export type NodeAspect = "allocatable" | "labels" | "taints";

/** Of a node, by one plugin. */
export const MOST_SCORE = 100;

/** A concern of placing pods, under upstream's name for it. All of it is synchronous. */
export interface Plugin {
  readonly name: string;
  /**
   * May a pod be considered at all?
   *
   * @returns why not
   */
  gate?(pod: PodInfo): string | undefined;
  /**
   * Works out what holds for all nodes.
   *
   * @returns what to ask of each node, a rejection where none will do, or undefined where there is nothing to ask
   */
  filter?(pod: PodInfo, cluster: ClusterState): NodeFilter | Rejection | undefined;
  /**
   * How good each of the nodes that passed is, from 0 to 100; with any other number the pod fails.
   *
   * @returns one number per node, or undefined where they are all the same
   */
  score?(pod: PodInfo, cluster: ClusterState, nodes: readonly NodeInfo[]): Float64Array | undefined;
  /** May a pod that this plugin kept out fit after this change? @default never */
  mayHelp?(pod: PodInfo, change: Change): boolean;
}

/** Whether a change is about nodes: a new one, or one with other properties. */
export function isNodeChange(
  change: Change,
  ...aspects: readonly NodeAspect[]
): change is Change & { readonly node: NodeInfo } {
  if (change.kind === "nodeAdded") return true;
  return change.kind === "nodeChanged" && aspects.some((aspect) => change.what.has(aspect));
}
