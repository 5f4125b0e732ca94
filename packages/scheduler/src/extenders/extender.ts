import type { KubeObject } from "@boxship/api";
import type { NodeInfo } from "../cluster/node-info.ts";
import type { PodInfo } from "../pod/pod-info.ts";

/** What became of nodes that were shown to an extender. */
export interface ExtenderFilter {
  /** Names of those that would do. */
  readonly names: ReadonlySet<string>;
  /** Why the others would not, by name. */
  readonly failed: ReadonlyMap<string, string>;
  /** Of these, where it would not help if pods went. */
  readonly unresolvable: ReadonlyMap<string, string>;
}

/** Pods that would have to go from a node, by uid. */
export interface VictimsOn {
  readonly node: string;
  readonly pods: readonly PodInfo[];
  readonly violations: number;
}

/**
 * Somebody outside who is asked about places besides the plugins: `extender/v1` of upstream's scheduler. What it is not
 * configured for it is not asked. Calls reject when it does not answer, or answers that something is wrong.
 */
export interface Extender {
  readonly name: string;
  /** What counts if it does not answer: nothing of it. */
  readonly isIgnorable: boolean;
  /** Whether it is to be asked about a pod: by the resources that the pod asks for. */
  isInterested(pod: PodInfo): boolean;
  filter?(pod: PodInfo, nodes: readonly NodeInfo[]): Promise<ExtenderFilter>;
  /** What is to be added to each node's score, by name. */
  prioritize?(pod: PodInfo, nodes: readonly NodeInfo[]): Promise<ReadonlyMap<string, number>>;
  /** The nodes, of these, on which it agrees that pods go; it may want others to go. */
  preempt?(pod: PodInfo, victims: readonly VictimsOn[]): Promise<ReadonlyMap<string, readonly string[]>>;
  /** Binds in place of the scheduler. */
  bind?(pod: KubeObject, nodeName: string): Promise<void>;
}

/** Of extenders, those that are to be asked about a pod. */
export const interestedIn = (pod: PodInfo, extenders: readonly Extender[]): readonly Extender[] =>
  extenders.filter((one) => one.isInterested(pod));
