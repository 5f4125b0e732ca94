import { deepEqual, type KubeObject, type Labels } from "@boxship/api";
import type { PodInfo } from "../pod/pod-info.ts";
import { VolumeState } from "../volumes/volume-state.ts";
import { NodeInfo } from "./node-info.ts";
import { OwnerSelectors } from "./owner-selectors.ts";
import { addTo, type Countable, type DomainCounts, type PodCount, PodCounts, type Wish } from "./pod-counts.ts";

/** The nodes by the values of one label. */
interface Topology {
  readonly domains: Map<string, number>;
  /** How many have the label. */
  nodes: number;
}

function countLabel(topology: Topology, value: string | undefined, amount: number): void {
  if (value === undefined) return;
  topology.nodes += amount;
  addTo(topology.domains, value, amount);
}

/**
 * What the scheduler believes of the cluster: nodes, the pods on them, and those that it has just placed there. Everything
 * is synchronous: a decision sees one state, and what would be is tried by changing it and changing it back.
 */
export class ClusterState {
  readonly volumes = new VolumeState();
  readonly owners = new OwnerSelectors();
  readonly #nodes = new Map<string, NodeInfo>();
  readonly #namespaces = new Map<string, Labels>();
  readonly #counts = new PodCounts(this.#nodes, this.#namespaces);
  /** Where each pod is, by key. */
  readonly #places = new Map<string, { readonly pod: PodInfo; readonly nodeName: string }>();
  /** Pods on nodes that are not known. */
  readonly #strays = new Map<string, Map<string, PodInfo>>();
  readonly #topologies = new Map<string, Topology>();
  readonly #imageNodes = new Map<string, number>();
  #tainted = 0;
  #cordoned = 0;
  #list: readonly NodeInfo[] | undefined;

  /** In the order in which they came. */
  get nodes(): readonly NodeInfo[] {
    this.#list ??= [...this.#nodes.values()];
    return this.#list;
  }

  node(name: string): NodeInfo | undefined {
    return this.#nodes.get(name);
  }

  /** How many nodes have each value of a label. */
  domains(topologyKey: string): DomainCounts {
    return this.#topology(topologyKey).domains;
  }

  nodesWithLabel(key: string): number {
    return this.#topology(key).nodes;
  }

  #topology(key: string): Topology {
    const found = this.#topologies.get(key);
    if (found !== undefined) return found;
    const fresh: Topology = { domains: new Map(), nodes: 0 };
    for (const { labels } of this.#nodes.values()) countLabel(fresh, labels[key], 1);
    this.#topologies.set(key, fresh);
    return fresh;
  }

  /** How many nodes have a taint. */
  get taintedNodes(): number {
    return this.#tainted;
  }

  /** How many nodes take no more pods. */
  get cordonedNodes(): number {
    return this.#cordoned;
  }

  /** How many nodes have an image. */
  nodesWithImage(name: string): number {
    return this.#imageNodes.get(name) ?? 0;
  }

  count(what: Countable): PodCount {
    return this.#counts.count(what);
  }

  wishesAbout(pod: PodInfo): Iterable<Wish> {
    return this.#counts.wishesAbout(pod);
  }

  namespaceLabels(name: string): Labels | undefined {
    return this.#namespaces.get(name);
  }

  setNamespace(name: string, labels: Labels | undefined): void {
    if (labels === undefined) this.#namespaces.delete(name);
    else this.#namespaces.set(name, labels);
    this.#counts.forgetNamespaceSelections();
  }

  setNode(node: KubeObject): void {
    const name = node.metadata.name ?? "";
    const known = this.#nodes.get(name);
    if (known !== undefined) {
      // Counts are by labels.
      const moves = !deepEqual(known.labels, node.metadata.labels ?? {});
      if (moves) for (const pod of known.pods.values()) this.#counts.remove(pod, known);
      this.#countNode(known, -1);
      known.update(node);
      this.#countNode(known, 1);
      if (moves) for (const pod of known.pods.values()) this.#counts.add(pod, known);
      return;
    }
    const fresh = new NodeInfo(node);
    this.#nodes.set(name, fresh);
    this.#countNode(fresh, 1);
    this.#list = undefined;
    for (const pod of this.#strays.get(name)?.values() ?? []) this.#put(pod, fresh);
    this.#strays.delete(name);
  }

  removeNode(name: string): void {
    const node = this.#nodes.get(name);
    if (node === undefined) return;
    for (const pod of [...node.pods.values()]) {
      this.#take(pod, node);
      this.#stray(pod, name);
    }
    this.#countNode(node, -1);
    this.#nodes.delete(name);
    this.#list = undefined;
  }

  placeOf(key: string): string | undefined {
    return this.#places.get(key)?.nodeName;
  }

  podAt(key: string): PodInfo | undefined {
    return this.#places.get(key)?.pod;
  }

  /** A pod is there, or will be: it counts from now on. One that was known is replaced. */
  setPod(pod: PodInfo, nodeName: string): void {
    this.removePod(pod.key);
    this.#places.set(pod.key, { pod, nodeName });
    const node = this.#nodes.get(nodeName);
    if (node === undefined) this.#stray(pod, nodeName);
    else this.#put(pod, node);
  }

  /** The same pod at its place, with a new object: nothing that is counted has changed. */
  renewPod(pod: PodInfo): void {
    const place = this.#places.get(pod.key);
    if (place === undefined) return;
    const { nodeName } = place;
    this.#places.set(pod.key, { pod, nodeName });
    const pods = this.#nodes.get(nodeName)?.pods ?? this.#strays.get(nodeName);
    pods?.set(pod.key, pod);
  }

  removePod(key: string): void {
    const place = this.#places.get(key);
    if (place === undefined) return;
    this.#places.delete(key);
    const node = this.#nodes.get(place.nodeName);
    if (node !== undefined) this.#take(place.pod, node);
    this.#strays.get(place.nodeName)?.delete(key);
  }

  /**
   * Tries what would be without some pods and with others, and sees that all is as before afterwards.
   *
   * @param attempt is given the way to bring a pod there or back
   */
  trial<Result>(attempt: (change: Trial) => Result): Result {
    const undo: (() => void)[] = [];
    try {
      return attempt({
        add: (pod, node) => {
          this.#put(pod, node);
          undo.push(() => this.#take(pod, node));
        },
        remove: (pod, node) => {
          this.#take(pod, node);
          undo.push(() => this.#put(pod, node));
        },
      });
    } finally {
      for (const step of undo.reverse()) step();
    }
  }

  #put(pod: PodInfo, node: NodeInfo): void {
    node.add(pod);
    this.#counts.add(pod, node);
    this.volumes.countUse(pod, 1);
  }

  #take(pod: PodInfo, node: NodeInfo): void {
    node.remove(pod);
    this.#counts.remove(pod, node);
    this.volumes.countUse(pod, -1);
  }

  #stray(pod: PodInfo, nodeName: string): void {
    const pods = this.#strays.get(nodeName) ?? new Map<string, PodInfo>();
    pods.set(pod.key, pod);
    this.#strays.set(nodeName, pods);
  }

  #countNode(node: NodeInfo, sign: 1 | -1): void {
    const { taints = [], unschedulable } = node.spec;
    if (taints.length > 0) this.#tainted += sign;
    if (unschedulable === true) this.#cordoned += sign;
    for (const [key, topology] of this.#topologies) countLabel(topology, node.labels[key], sign);
    for (const name of node.images.keys()) addTo(this.#imageNodes, name, sign);
  }
}

/** Changes for the time of a trial. */
export interface Trial {
  add(pod: PodInfo, node: NodeInfo): void;
  remove(pod: PodInfo, node: NodeInfo): void;
}
