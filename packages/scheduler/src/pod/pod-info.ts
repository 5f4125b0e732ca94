import {
  compileNodeTerm,
  compileNodeWishes,
  type KubeObject,
  type Labels,
  type NodeMatch,
  valueAt,
} from "@boxship/api";
import { keyOf } from "@boxship/client";
import { type Requests, requestsOf } from "./resources.ts";
import { type CompiledSelector, compileSelector } from "./selectors.ts";
import {
  type PodAffinity,
  type PodAffinityTerm,
  type PodSpec,
  podSpecOf,
  type TopologySpreadConstraint,
} from "./types.ts";

/** Pods near, or away from, which a pod wants to be. */
export interface AffinityTerm {
  readonly selector: CompiledSelector;
  readonly topologyKey: string;
  readonly namespaces: ReadonlySet<string>;
  /** Namespaces by their labels, besides {@link namespaces}. */
  readonly namespaceSelector?: CompiledSelector;
  /** Equal for equal terms, whatever their topology. */
  readonly id: string;
}

export interface WeightedTerm {
  readonly term: AffinityTerm;
  readonly weight: number;
}

export interface SpreadConstraint extends Omit<TopologySpreadConstraint, "labelSelector" | "matchLabelKeys"> {
  readonly selector: CompiledSelector;
}

export interface HostPort {
  readonly ip: string;
  readonly protocol: string;
  readonly port: number;
}

/** A pod with all that is asked of it again and again worked out. */
export interface PodInfo {
  readonly pod: KubeObject;
  /** `namespace/name`. */
  readonly key: string;
  readonly uid: string;
  readonly namespace: string;
  readonly labels: Labels;
  readonly spec: PodSpec;
  readonly priority: number;
  readonly isTerminating: boolean;
  readonly requests: Requests;
  readonly hostPorts: readonly HostPort[];
  /** What the node must be by its labels; undefined: any. */
  readonly requiredNode?: NodeMatch;
  readonly preferredNodes: readonly { readonly match: NodeMatch; readonly weight: number }[];
  readonly requiredAffinity: readonly AffinityTerm[];
  readonly requiredAntiAffinity: readonly AffinityTerm[];
  readonly preferredAffinity: readonly WeightedTerm[];
  readonly preferredAntiAffinity: readonly WeightedTerm[];
  readonly spread: readonly SpreadConstraint[];
}

const known = new WeakMap<KubeObject, PodInfo>();

/** Objects of informers are frozen: each is worked out once. */
export function podInfoOf(pod: KubeObject): PodInfo {
  const found = known.get(pod);
  if (found !== undefined) return found;
  const info = readPod(pod);
  known.set(pod, info);
  return info;
}

/**
 * A pod that is as it was in all that a place depends on, with its new object: most changes are of its status.
 *
 * @returns undefined where something else may have changed
 */
export function podInfoAfter(before: PodInfo, pod: KubeObject): PodInfo | undefined {
  const { uid, generation, deletionTimestamp, labels = {} } = pod.metadata;
  const isSame =
    uid === before.uid &&
    generation !== undefined &&
    generation === before.pod.metadata.generation &&
    (deletionTimestamp !== undefined) === before.isTerminating &&
    hasSameLabels(labels, before.labels);
  if (!isSame) return undefined;
  const info = { ...before, pod, labels, spec: podSpecOf(pod) };
  known.set(pod, info);
  return info;
}

function hasSameLabels(left: Labels, right: Labels): boolean {
  const keys = Object.keys(left);
  return keys.length === Object.keys(right).length && keys.every((key) => left[key] === right[key]);
}

function readPod(pod: KubeObject): PodInfo {
  const spec = podSpecOf(pod);
  const { labels = {}, namespace = "", uid = "", deletionTimestamp } = pod.metadata;
  const { nodeAffinity, podAffinity, podAntiAffinity } = spec.affinity ?? {};
  const requiredNode = compileNodeWishes(spec);
  const term = (one: PodAffinityTerm): AffinityTerm => affinityTerm(one, namespace, labels);
  const weighted = (affinity: PodAffinity | undefined): WeightedTerm[] =>
    (affinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map(({ weight, podAffinityTerm }) => ({
      term: term(podAffinityTerm),
      weight,
    }));
  return {
    pod,
    key: keyOf(pod),
    uid,
    namespace,
    labels,
    spec,
    priority: spec.priority ?? 0,
    isTerminating: deletionTimestamp !== undefined,
    requests: requestsOf(spec),
    hostPorts: hostPortsOf(spec),
    ...(requiredNode === undefined ? {} : { requiredNode }),
    preferredNodes: (nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map(
      ({ preference, weight }) => ({ match: compileNodeTerm(preference), weight }),
    ),
    requiredAffinity: (podAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []).map(term),
    requiredAntiAffinity: (podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []).map(term),
    preferredAffinity: weighted(podAffinity),
    preferredAntiAffinity: weighted(podAntiAffinity),
    spread: (spec.topologySpreadConstraints ?? []).map(({ labelSelector, matchLabelKeys = [], ...constraint }) => ({
      ...constraint,
      selector: compileSelector(labelSelector, { equal: pick(labels, matchLabelKeys) }),
    })),
  };
}

function affinityTerm(term: PodAffinityTerm, namespace: string, labels: Labels): AffinityTerm {
  const { namespaces = [], namespaceSelector, topologyKey, matchLabelKeys = [], mismatchLabelKeys = [] } = term;
  const selector = compileSelector(term.labelSelector, {
    equal: pick(labels, matchLabelKeys),
    unequal: pick(labels, mismatchLabelKeys),
  });
  const isOwn = namespaces.length === 0 && namespaceSelector === undefined;
  const named = isOwn ? [namespace] : [...namespaces].sort();
  const bySelector = namespaceSelector === undefined ? undefined : compileSelector(namespaceSelector);
  return {
    selector,
    topologyKey,
    namespaces: new Set(named),
    ...(bySelector === undefined ? {} : { namespaceSelector: bySelector }),
    id: `${named.join(",")} ${bySelector?.text ?? ""} ${selector.text}`,
  };
}

const pick = (labels: Labels, keys: readonly string[]): Labels =>
  Object.fromEntries(keys.filter((key) => Object.hasOwn(labels, key)).map((key) => [key, labels[key] ?? ""]));

function hostPortsOf({ containers, initContainers = [] }: PodSpec): HostPort[] {
  const staying = initContainers.filter(({ restartPolicy }) => restartPolicy === "Always");
  return [...containers, ...staying].flatMap(({ ports = [] }) =>
    ports.flatMap(({ hostPort = 0, hostIP = "", protocol = "TCP" }) =>
      hostPort === 0 ? [] : [{ ip: hostIP === "" ? "0.0.0.0" : hostIP, protocol, port: hostPort }],
    ),
  );
}

/** A pod that has ended takes no place. */
export function hasEnded(pod: KubeObject): boolean {
  const phase = valueAt(pod, "status", "phase");
  return phase === "Succeeded" || phase === "Failed";
}

/** Whether the pods that a term speaks of are of this one's kind. */
export function termMatches(term: AffinityTerm, pod: PodInfo, namespaceLabels: Labels | undefined): boolean {
  const isThere =
    term.namespaces.has(pod.namespace) ||
    (namespaceLabels !== undefined && term.namespaceSelector?.matches(namespaceLabels) === true);
  return isThere && term.selector.matches(pod.labels);
}
