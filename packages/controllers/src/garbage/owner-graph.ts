import type { Kind, KubeObject, OwnerReference } from "@boxship/api";

export const FOREGROUND = "foregroundDeletion";
export const ORPHAN = "orphan";

/** What the collector has to know of a kind. */
export type CollectedKind = Pick<Kind, "group" | "kind" | "namespaced" | "resource" | "version">;

/** What the collector knows of an object. */
export interface GraphNode {
  readonly kind: CollectedKind;
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly owners: readonly OwnerReference[];
  readonly isBeingDeleted: boolean;
  /** It waits for its dependents to go first. */
  readonly deletesDependents: boolean;
  /** It waits for its dependents to be let go. */
  readonly orphansDependents: boolean;
}

export function nodeOf(kind: CollectedKind, { metadata }: KubeObject): GraphNode {
  const { uid = "", name = "", namespace = "", ownerReferences = [], finalizers = [] } = metadata;
  const isBeingDeleted = metadata.deletionTimestamp !== undefined;
  return {
    kind,
    uid,
    namespace,
    name,
    owners: ownerReferences,
    isBeingDeleted,
    deletesDependents: isBeingDeleted && finalizers.includes(FOREGROUND),
    orphansDependents: isBeingDeleted && finalizers.includes(ORPHAN),
  };
}

/** Who owns whom, by uid. Owners that are not known have dependents as well. */
export class OwnerGraph {
  readonly #nodes = new Map<string, GraphNode>();
  readonly #dependents = new Map<string, Set<string>>();

  get(uid: string): GraphNode | undefined {
    return this.#nodes.get(uid);
  }

  all(): IterableIterator<GraphNode> {
    return this.#nodes.values();
  }

  dependentsOf(uid: string): readonly GraphNode[] {
    return [...(this.#dependents.get(uid) ?? [])].flatMap((one) => this.#nodes.get(one) ?? []);
  }

  put(node: GraphNode): void {
    const before = this.#nodes.get(node.uid);
    if (before !== undefined) this.#unlink(before);
    this.#nodes.set(node.uid, node);
    for (const { uid } of node.owners) {
      const dependents = this.#dependents.get(uid);
      if (dependents === undefined) this.#dependents.set(uid, new Set([node.uid]));
      else dependents.add(node.uid);
    }
  }

  remove(uid: string): void {
    const node = this.#nodes.get(uid);
    if (node === undefined) return;
    this.#unlink(node);
    this.#nodes.delete(uid);
  }

  #unlink({ uid, owners }: GraphNode): void {
    for (const owner of owners) {
      const dependents = this.#dependents.get(owner.uid);
      dependents?.delete(uid);
      if (dependents?.size === 0) this.#dependents.delete(owner.uid);
    }
  }
}
