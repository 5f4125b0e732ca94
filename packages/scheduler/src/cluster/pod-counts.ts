import type { Labels } from "@boxship/api";
import { type AffinityTerm, type PodInfo, termMatches } from "../pod/pod-info.ts";
import type { NodeInfo } from "./node-info.ts";
import { PodsByLabel } from "./pods-by-label.ts";
import { type AboutPods, TermTable } from "./term-table.ts";

/** Which pods are counted. */
export interface Countable extends AboutPods {
  /** Equal for what counts the same pods. */
  readonly id: string;
  /** Without pods that are about to go. */
  readonly onlyStaying: boolean;
}

/** Numbers by the value that nodes have for a label. */
export type DomainCounts = ReadonlyMap<string, number>;

/** How many pods are selected, by node and by domain of any topology. */
export class PodCount implements Countable {
  readonly id: string;
  readonly terms: readonly AffinityTerm[];
  readonly onlyStaying: boolean;
  readonly #byNode = new Map<string, number>();
  readonly #byDomain = new Map<string, Map<string, number>>();
  readonly #nodes: ReadonlyMap<string, NodeInfo>;
  #total = 0;

  constructor({ id, terms, onlyStaying }: Countable, nodes: ReadonlyMap<string, NodeInfo>) {
    this.id = id;
    this.terms = terms;
    this.onlyStaying = onlyStaying;
    this.#nodes = nodes;
  }

  get total(): number {
    return this.#total;
  }

  onNode(name: string): number {
    return this.#byNode.get(name) ?? 0;
  }

  /** By the values of a label of nodes. */
  inDomains(topologyKey: string): DomainCounts {
    const found = this.#byDomain.get(topologyKey);
    if (found !== undefined) return found;
    const counts = new Map<string, number>();
    for (const [name, count] of this.#byNode) addTo(counts, this.#nodes.get(name)?.labels[topologyKey], count);
    this.#byDomain.set(topologyKey, counts);
    return counts;
  }

  add(node: NodeInfo, amount: number): void {
    this.#total += amount;
    addTo(this.#byNode, node.name, amount);
    for (const [key, counts] of this.#byDomain) addTo(counts, node.labels[key], amount);
  }
}

export function addTo(counts: Map<string, number>, key: string | undefined, amount: number): void {
  if (key === undefined) return;
  const sum = (counts.get(key) ?? 0) + amount;
  if (sum === 0) counts.delete(key);
  else counts.set(key, sum);
}

/** What pods want of those that come: away from them, or near. */
export interface Wish extends AboutPods {
  readonly id: string;
  readonly kind: "required" | "requiredAnti" | "preferred" | "preferredAnti";
  readonly topologyKey: string;
  /** How much it is wished, in sum, by domain. For required ones how many pods wish it. */
  readonly inDomains: Map<string, number>;
}

/** So many selectors are counted at once; the one that was asked for the longest time ago is forgotten. */
const MOST_COUNTS = 2000;

/**
 * Counts of pods that follow each pod that comes and goes: how long it takes to place one more does not depend on how many
 * there are.
 */
export class PodCounts {
  readonly #nodes: ReadonlyMap<string, NodeInfo>;
  readonly #namespaces: ReadonlyMap<string, Labels>;
  readonly #counts = new Map<string, PodCount>();
  readonly #counted = new TermTable<PodCount>();
  readonly #pods: PodsByLabel;
  readonly #wishes = new Map<string, Wish>();
  readonly #wished = new TermTable<Wish>();

  constructor(nodes: ReadonlyMap<string, NodeInfo>, namespaces: ReadonlyMap<string, Labels>) {
    this.#nodes = nodes;
    this.#namespaces = namespaces;
    this.#pods = new PodsByLabel(nodes);
  }

  add(pod: PodInfo, node: NodeInfo): void {
    this.#pods.add(pod, node);
    this.#change(pod, node, 1);
  }

  remove(pod: PodInfo, node: NodeInfo): void {
    this.#pods.remove(pod);
    this.#change(pod, node, -1);
  }

  /** How many pods there are of those. */
  count(what: Countable): PodCount {
    const found = this.#counts.get(what.id);
    if (found !== undefined) {
      this.#counts.delete(what.id);
      this.#counts.set(what.id, found);
      return found;
    }
    return this.#begin(what);
  }

  /** What the pods that are there wish of this one. */
  wishesAbout(pod: PodInfo): Iterable<Wish> {
    return this.#wished.about(pod, this.#namespaces.get(pod.namespace));
  }

  /** Selectors of namespaces mean others now. */
  forgetNamespaceSelections(): void {
    for (const count of [...this.#counts.values()]) {
      if (count.terms.some(({ namespaceSelector }) => namespaceSelector !== undefined)) this.#forget(count);
    }
  }

  #forget(count: PodCount): void {
    this.#counts.delete(count.id);
    this.#counted.delete(count);
  }

  #begin(what: Countable): PodCount {
    const fresh = new PodCount(what, this.#nodes);
    const [first] = what.terms;
    for (const [pod, node] of first === undefined ? [] : this.#pods.candidates(first)) {
      if (what.onlyStaying && pod.isTerminating) continue;
      const namespace = this.#namespaces.get(pod.namespace);
      if (what.terms.every((term) => termMatches(term, pod, namespace))) fresh.add(node, 1);
    }
    const [oldest] = this.#counts.values();
    if (this.#counts.size >= MOST_COUNTS && oldest !== undefined) this.#forget(oldest);
    this.#counts.set(what.id, fresh);
    this.#counted.add(fresh);
    return fresh;
  }

  #change(pod: PodInfo, node: NodeInfo, sign: 1 | -1): void {
    for (const count of this.#counted.about(pod, this.#namespaces.get(pod.namespace))) {
      if (!count.onlyStaying || !pod.isTerminating) count.add(node, sign);
    }
    for (const term of pod.requiredAffinity) this.#wish("required", term, sign, node);
    for (const term of pod.requiredAntiAffinity) this.#wish("requiredAnti", term, sign, node);
    for (const { term, weight } of pod.preferredAffinity) this.#wish("preferred", term, sign * weight, node);
    for (const { term, weight } of pod.preferredAntiAffinity) this.#wish("preferredAnti", term, sign * weight, node);
  }

  #wish(kind: Wish["kind"], term: AffinityTerm, amount: number, node: NodeInfo): void {
    const { topologyKey } = term;
    const id = `${kind} ${topologyKey} ${term.id}`;
    const wish = this.#wishes.get(id) ?? { id, kind, topologyKey, terms: [term], inDomains: new Map() };
    addTo(wish.inDomains, node.labels[topologyKey], amount);
    if (wish.inDomains.size === 0) {
      this.#wishes.delete(id);
      this.#wished.delete(wish);
    } else if (!this.#wishes.has(id)) {
      this.#wishes.set(id, wish);
      this.#wished.add(wish);
    }
  }
}
