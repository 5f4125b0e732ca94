import type { AffinityTerm, PodInfo } from "../pod/pod-info.ts";
import type { NodeInfo } from "./node-info.ts";

/**
 * Pods on nodes, by each of their labels: who begins to count the pods of a selector looks at those that have one of the
 * labels that it wants, and not at all that there are.
 */
export class PodsByLabel {
  readonly #nodes: ReadonlyMap<string, NodeInfo>;
  /** Nodes of pods, by the pods' keys. */
  readonly #places = new Map<string, Map<string, NodeInfo>>();

  constructor(nodes: ReadonlyMap<string, NodeInfo>) {
    this.#nodes = nodes;
  }

  add(pod: PodInfo, node: NodeInfo): void {
    for (const place of placesOf(pod)) {
      const pods = this.#places.get(place);
      if (pods === undefined) this.#places.set(place, new Map([[pod.key, node]]));
      else pods.set(pod.key, node);
    }
  }

  remove(pod: PodInfo): void {
    for (const place of placesOf(pod)) {
      const pods = this.#places.get(place);
      if (pods?.delete(pod.key) && pods.size === 0) this.#places.delete(place);
    }
  }

  /** Those that a term may select, and more: what it wants besides is not looked at. */
  *candidates({ selector, namespaces, namespaceSelector }: AffinityTerm): Generator<readonly [PodInfo, NodeInfo]> {
    if (selector.pivot === undefined || namespaceSelector !== undefined) {
      for (const node of this.#nodes.values()) for (const pod of node.pods.values()) yield [pod, node];
      return;
    }
    for (const namespace of namespaces) {
      for (const [key, node] of this.#places.get(labelPlace(namespace, ...selector.pivot)) ?? []) {
        const pod = node.pods.get(key);
        if (pod !== undefined) yield [pod, node];
      }
    }
  }
}

function placesOf({ namespace, labels }: PodInfo): string[] {
  return Object.entries(labels).map(([key, value]) => labelPlace(namespace, key, value));
}

/** Where what is about a label's value is found. */
export const labelPlace = (namespace: string, key: string, value: string): string => `${namespace}\0${key}\0${value}`;
