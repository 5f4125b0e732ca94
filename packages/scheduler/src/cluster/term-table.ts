import type { Labels } from "@boxship/api";
import { type AffinityTerm, type PodInfo, termMatches } from "../pod/pod-info.ts";
import { labelPlace } from "./pods-by-label.ts";

/** Something that is about the pods that all of its terms select. */
export interface AboutPods {
  /** At least one. */
  readonly terms: readonly AffinityTerm[];
}

/**
 * Finds what is about a pod, among thousands, without asking each: most selectors want one label to have one value in one
 * namespace, and are found by that.
 */
export class TermTable<Entry extends AboutPods> {
  readonly #byLabel = new Map<string, Set<Entry>>();
  readonly #others = new Set<Entry>();

  add(entry: Entry): void {
    for (const set of this.#placesOf(entry, true)) set.add(entry);
  }

  delete(entry: Entry): void {
    for (const set of this.#placesOf(entry, false)) set.delete(entry);
  }

  /** What is about this pod. */
  *about(pod: PodInfo, namespaceLabels: Labels | undefined): Generator<Entry> {
    const matches = ({ terms }: Entry): boolean => terms.every((term) => termMatches(term, pod, namespaceLabels));
    if (this.#byLabel.size > 0) {
      for (const key of Object.keys(pod.labels)) {
        const entries = this.#byLabel.get(labelPlace(pod.namespace, key, pod.labels[key] ?? ""));
        if (entries !== undefined) for (const entry of entries) if (matches(entry)) yield entry;
      }
    }
    for (const entry of this.#others) if (matches(entry)) yield entry;
  }

  #placesOf({ terms: [first] }: Entry, make: boolean): Set<Entry>[] {
    const pivot = first?.selector.pivot;
    if (first === undefined || pivot === undefined || first.namespaceSelector !== undefined) return [this.#others];
    return [...first.namespaces].flatMap((namespace) => {
      const place = labelPlace(namespace, ...pivot);
      const found = this.#byLabel.get(place);
      if (found !== undefined || !make) return found ?? [];
      const fresh = new Set<Entry>();
      this.#byLabel.set(place, fresh);
      return fresh;
    });
  }
}
