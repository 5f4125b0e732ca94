import { type KubeObject, type LabelSelectorObject, type Labels, valueAt } from "@boxship/api";
import { keyOf } from "@boxship/client";
import type { PodInfo } from "../pod/pod-info.ts";
import { type CompiledSelector, compileSelector } from "../pod/selectors.ts";

/** Kinds whose selectors tell which pods are of one sort. */
export type SelectingKind = "ReplicaSet" | "ReplicationController" | "Service" | "StatefulSet";

const isMap = (kind: SelectingKind): boolean => kind === "Service" || kind === "ReplicationController";

/** What services and workloads select: by that, pods that say nothing themselves are spread. */
export class OwnerSelectors {
  /** Of services, by namespace. */
  readonly #services = new Map<string, Map<string, Labels>>();
  /** Of workloads, by kind and key. */
  readonly #workloads = new Map<string, LabelSelectorObject>();
  readonly #compiled = new Map<string, CompiledSelector>();

  set(kind: SelectingKind, object: KubeObject): void {
    const key = keyOf(object);
    const selector = valueAt(object, "spec", "selector") ?? {};
    if (kind !== "Service") {
      const given = isMap(kind) ? { matchLabels: selector as Labels } : (selector as LabelSelectorObject);
      this.#workloads.set(`${kind} ${key}`, given);
      return;
    }
    const { namespace = "" } = object.metadata;
    const services = this.#services.get(namespace) ?? new Map<string, Labels>();
    this.#services.set(namespace, services.set(key, selector as Labels));
  }

  remove(kind: SelectingKind, object: KubeObject): void {
    if (kind === "Service") this.#services.get(object.metadata.namespace ?? "")?.delete(keyOf(object));
    else this.#workloads.delete(`${kind} ${keyOf(object)}`);
  }

  /** What pods like this one have in common; undefined where nothing tells. */
  selectorFor({ pod, labels, namespace }: PodInfo): CompiledSelector | undefined {
    const matchLabels: Record<string, string> = {};
    for (const selector of this.#services.get(namespace)?.values() ?? []) {
      const wanted = Object.entries(selector);
      if (wanted.length > 0 && wanted.every(([key, value]) => labels[key] === value))
        Object.assign(matchLabels, selector);
    }
    const owner = pod.metadata.ownerReferences?.find(({ controller }) => controller === true);
    const own = owner === undefined ? undefined : this.#workloads.get(`${owner.kind} ${namespace}/${owner.name}`);
    Object.assign(matchLabels, own?.matchLabels);
    const { matchExpressions } = own ?? {};
    if (Object.keys(matchLabels).length === 0 && (matchExpressions ?? []).length === 0) return undefined;
    const selector = { matchLabels, ...(matchExpressions === undefined ? {} : { matchExpressions }) };
    const text = JSON.stringify(selector);
    const known = this.#compiled.get(text) ?? compileSelector(selector);
    if (this.#compiled.size > MOST_KNOWN) this.#compiled.clear();
    this.#compiled.set(text, known);
    return known;
  }
}

const MOST_KNOWN = 10_000;
