import { findUntolerated, type NodeMatch, type Taint, tolerates } from "@boxship/api";
import { ANY_ADDRESS } from "../cluster/node-info.ts";
import { isNodeChange, type Plugin, reject, rejectFinally } from "../plugin.ts";
import type { HostPort, PodInfo } from "../pod/pod-info.ts";
import { normalizeToMost } from "./normalize.ts";

/** Concerns that compare one pod with one node and nothing else. */

const NOT_NAMED = rejectFinally("node(s) didn't match the requested node name");

export const nodeName: Plugin = {
  name: "NodeName",
  filter({ spec: { nodeName: name = "" } }) {
    return name === "" ? undefined : (node) => (node.name === name ? undefined : NOT_NAMED);
  },
  mayHelp: ({ spec: { nodeName: name } }, change) => change.kind === "nodeAdded" && change.node.name === name,
};

const UNSCHEDULABLE = rejectFinally("node(s) were unschedulable");
const CORDON: Taint = { key: "node.kubernetes.io/unschedulable", effect: "NoSchedule" };

export const nodeUnschedulable: Plugin = {
  name: "NodeUnschedulable",
  filter({ spec: { tolerations = [] } }, { cordonedNodes }) {
    if (cordonedNodes === 0 || tolerations.some((toleration) => tolerates(toleration, CORDON))) return undefined;
    return (node) => (node.spec.unschedulable === true ? UNSCHEDULABLE : undefined);
  },
  mayHelp: (_, change) => isNodeChange(change, "taints") && change.node.spec.unschedulable !== true,
};

const UNTOLERATED = rejectFinally("node(s) had untolerated taint(s)");

export const taintToleration: Plugin = {
  name: "TaintToleration",
  filter({ spec: { tolerations = [] } }, { taintedNodes }) {
    // Of most clusters, none has one.
    if (taintedNodes === 0) return undefined;
    return ({ spec: { taints } }) =>
      taints === undefined ||
      taints.length === 0 ||
      findUntolerated(taints, tolerations, ["NoSchedule", "NoExecute"]) === undefined
        ? undefined
        : UNTOLERATED;
  },
  score({ spec: { tolerations = [] } }, { taintedNodes }, nodes) {
    if (taintedNodes === 0) return undefined;
    const soft = tolerations.filter(({ effect = "" }) => effect === "" || effect === "PreferNoSchedule");
    const count = (taints: readonly Taint[] = []): number =>
      taints.length === 0
        ? 0
        : taints.filter(
            (taint) => taint.effect === "PreferNoSchedule" && !soft.some((toleration) => tolerates(toleration, taint)),
          ).length;
    if (!nodes.some(({ spec: { taints } }) => taints !== undefined && count(taints) > 0)) return undefined;
    return normalizeToMost(
      Float64Array.from(nodes, ({ spec }) => count(spec.taints)),
      true,
    );
  },
  mayHelp: ({ spec: { tolerations = [] } }, change) =>
    isNodeChange(change, "taints") &&
    findUntolerated(change.node.spec.taints ?? [], tolerations, ["NoSchedule", "NoExecute"]) === undefined,
};

const NOT_AFFINE = rejectFinally("node(s) didn't match Pod's node affinity/selector");

export interface NodeAffinityOptions {
  /** What nodes must be for every pod. @default any */
  readonly required?: NodeMatch;
  /** What every pod would like. */
  readonly preferred: PodInfo["preferredNodes"];
}

const NOT_AFFINE_BY_CONFIGURATION = rejectFinally("node(s) didn't match scheduler-enforced node affinity");

export function nodeAffinityBy({ required, preferred }: NodeAffinityOptions): Plugin {
  return {
    name: "NodeAffinity",
    filter({ requiredNode }) {
      if (required === undefined) {
        return requiredNode === undefined ? undefined : (node) => (requiredNode(node) ? undefined : NOT_AFFINE);
      }
      return (node) => {
        if (!required(node)) return NOT_AFFINE_BY_CONFIGURATION;
        return requiredNode?.(node) === false ? NOT_AFFINE : undefined;
      };
    },
    score({ preferredNodes }, _, nodes) {
      const all = preferred.length === 0 ? preferredNodes : [...preferred, ...preferredNodes];
      if (all.length === 0) return undefined;
      const weigh = (node: (typeof nodes)[number]): number =>
        all.reduce((sum, { match, weight }) => sum + (match(node) ? weight : 0), 0);
      return normalizeToMost(Float64Array.from(nodes, weigh));
    },
    mayHelp: ({ requiredNode }, change) =>
      isNodeChange(change, "labels") && (requiredNode?.(change.node) ?? true) && (required?.(change.node) ?? true),
  };
}

export const nodeAffinity: Plugin = nodeAffinityBy({ preferred: [] });

const NO_PORTS = reject("node(s) didn't have free ports for the requested pod ports");

/** Whether one stands in the other's way. */
const isSamePort = (one: HostPort, other: HostPort): boolean =>
  one.port === other.port &&
  one.protocol === other.protocol &&
  (one.ip === other.ip || [one.ip, other.ip].includes(ANY_ADDRESS));

export const nodePorts: Plugin = {
  name: "NodePorts",
  filter({ hostPorts }) {
    if (hostPorts.length === 0) return undefined;
    return (node) => (hostPorts.some((port) => node.hasPort(port)) ? NO_PORTS : undefined);
  },
  mayHelp: ({ hostPorts }, change) =>
    change.kind === "nodeAdded" ||
    (change.kind === "podGone" &&
      change.pod.hostPorts.some((one) => hostPorts.some((other) => isSamePort(one, other)))),
};

/** Sizes, per container of the pod, below and above which an image does not count for more or less. */
const IMAGE_BYTES = { least: 23 * 1024 * 1024, most: 1000 * 1024 * 1024 } as const;

/** The name with a tag, as nodes tell it. */
function withTag(image: string): string {
  return image.lastIndexOf(":") <= image.lastIndexOf("/") ? `${image}:latest` : image;
}

export const imageLocality: Plugin = {
  name: "ImageLocality",
  score({ spec: { containers, initContainers = [] } }, cluster, nodes) {
    const all = [...initContainers, ...containers].map(({ image = "" }) => withTag(image));
    const known = all.filter((image) => cluster.nodesWithImage(image) > 0);
    if (known.length === 0) return undefined;
    const most = IMAGE_BYTES.most * all.length;
    const shares = known.map((image) => [image, cluster.nodesWithImage(image) / cluster.nodes.length] as const);
    return Float64Array.from(nodes, ({ images }) => {
      // An image that is on few nodes counts for less: the pods are not to heap up there.
      const sum = shares.reduce((bytes, [image, share]) => bytes + Math.floor((images.get(image) ?? 0) * share), 0);
      const bounded = Math.min(Math.max(sum, IMAGE_BYTES.least), most);
      return Math.floor((100 * (bounded - IMAGE_BYTES.least)) / (most - IMAGE_BYTES.least));
    });
  },
};

const NO_DYNAMIC_RESOURCES = rejectFinally("dynamic resources (resourceClaims) are not supported");

/** Nobody here allocates devices: a pod that claims some waits and says so, instead of running without them. */
export const dynamicResources: Plugin = {
  name: "DynamicResources",
  filter: ({ spec: { resourceClaims = [] } }) => (resourceClaims.length === 0 ? undefined : NO_DYNAMIC_RESOURCES),
};

export const schedulingGates: Plugin = {
  name: "SchedulingGates",
  gate({ spec: { schedulingGates: gates = [] } }) {
    if (gates.length === 0) return undefined;
    return `Scheduling is blocked due to non-empty scheduling gates`;
  },
};
