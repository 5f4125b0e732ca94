import type { Plugin } from "./plugin.ts";
import { interPodAffinity } from "./plugins/inter-pod-affinity.ts";
import {
  dynamicResources,
  imageLocality,
  nodeAffinity,
  nodeName,
  nodePorts,
  nodeUnschedulable,
  schedulingGates,
  taintToleration,
} from "./plugins/node-plugins.ts";
import { podTopologySpread } from "./plugins/pod-topology-spread.ts";
import { nodeResourcesBalancedAllocation, nodeResourcesFit } from "./plugins/resource-plugins.ts";

import { nodeVolumeLimits, volumeBinding, volumeRestrictions, volumeZone } from "./plugins/volume-plugins.ts";

/** How pods that name a scheduler are placed. */
export interface Profile {
  /** What pods say in `spec.schedulerName`. */
  readonly schedulerName: string;
  /** In the order in which they are asked. */
  readonly plugins: readonly Plugin[];
  /** By plugin; one without a weight does not score. */
  readonly weights: Readonly<Record<string, number>>;
  /** How room is made for more important pods. @default as upstream does */
  readonly preemption?: PreemptionOptions;
  /** How many nodes that would do are enough to choose from. @default by the cluster's size, as upstream's */
  readonly nodesToFind?: (nodes: number) => number;
}

export interface PreemptionOptions {
  /** Nobody has to go. @default false */
  readonly isOff?: boolean;
  /** Nodes that are tried, in percent of all. @default 10 */
  readonly candidatePercent?: number;
  /** And at least. @default 100 */
  readonly leastCandidates?: number;
}

/** Upstream's default profile: cheap concerns first, as most nodes are refused by these. */
export const defaultProfile: Profile = {
  schedulerName: "default-scheduler",
  plugins: [
    schedulingGates,
    nodeUnschedulable,
    nodeName,
    taintToleration,
    nodeAffinity,
    nodePorts,
    nodeResourcesFit,
    volumeRestrictions,
    nodeVolumeLimits,
    volumeBinding,
    volumeZone,
    dynamicResources,
    podTopologySpread,
    interPodAffinity,
    nodeResourcesBalancedAllocation,
    imageLocality,
  ],
  weights: {
    TaintToleration: 3,
    NodeAffinity: 2,
    PodTopologySpread: 2,
    InterPodAffinity: 2,
    NodeResourcesFit: 1,
    NodeResourcesBalancedAllocation: 1,
    ImageLocality: 1,
  },
};
