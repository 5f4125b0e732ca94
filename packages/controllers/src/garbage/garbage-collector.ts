import { deepEqual, type Kind, type KubeObject, type OwnerReference, statusOf } from "@boxship/api";
import { Conflict, FailedPrecondition, NotFound } from "@boxship/base";
import type { DeleteOptions, Informer, ObjectRef } from "@boxship/client";
import type { ControllerContext, ControllerDefinition, Reconcile } from "../contract.ts";
import { resourceName } from "../frame/shared-informers.ts";
import { AggregatedKinds } from "./aggregated-kinds.ts";
import { CollectedKinds, resourceOf } from "./collected-kinds.ts";
import { type CollectedKind, FOREGROUND, type GraphNode, nodeOf, ORPHAN, OwnerGraph } from "./owner-graph.ts";

/** Deletes what nobody owns any more, in the background or before its owner, or lets it go. */
export const garbageCollector: ControllerDefinition = {
  name: "garbage-collector-controller",
  workers: 20,
  open: (context) => new GarbageCollector(context).reconcile,
};

/** Owners that are known to be gone: uids are not used again. */
const MOST_ABSENT = 500;

class GarbageCollector {
  readonly #context: ControllerContext;
  readonly #graph = new OwnerGraph();
  readonly #kinds: CollectedKinds;
  readonly #aggregated: AggregatedKinds;
  readonly #absent = new Set<string>();
  readonly #handling = new Map<string, Disposable>();

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#kinds = new CollectedKinds(
      context.informers,
      (kind) => this.#follow(kind),
      (kind) => this.#forget(kind),
    );
    this.#aggregated = new AggregatedKinds(context, {
      follow: (kind) => this.#followRemote(kind),
      lose: (kind) => this.#lose(kind),
    });
  }

  readonly reconcile: Reconcile = async (key) => {
    const [what = "", uid = ""] = key.split(":", 2);
    if (what === "serve") return await this.#aggregated.look(uid);
    const node = this.#graph.get(uid);
    if (node === undefined) return;
    if (what === "orphan") await this.#orphan(node);
    else await this.#collect(node);
  };

  #follow(kind: Kind): void {
    this.#handle(kind, this.#context.informers.of(resourceOf(kind)));
  }

  /** A resource that is served here stays ours, whatever another server says that it has. */
  #followRemote(kind: CollectedKind): boolean {
    if (this.#handling.has(resourceName(kind))) return false;
    this.#handle(kind, this.#context.informers.ofRemote(resourceOf(kind)));
    return true;
  }

  #handle(kind: CollectedKind, informer: Informer<KubeObject>): void {
    const changed = (object: KubeObject): void => this.#changed(nodeOf(kind, object));
    const handling = informer.handle({
      added: changed,
      updated: changed,
      deleted: ({ metadata: { uid = "" } }) => this.#gone(uid),
    });
    this.#handling.set(resourceName(kind), handling);
  }

  #forget(kind: CollectedKind): void {
    this.#stopHandling(kind);
    for (const uid of this.#uidsOf(kind)) this.#gone(uid);
  }

  /** Its server is no longer asked: what it has is not gone by that. */
  #lose(kind: CollectedKind): void {
    this.#stopHandling(kind);
    void this.#context.informers.endRemote(resourceOf(kind));
    for (const uid of this.#uidsOf(kind)) this.#graph.remove(uid);
  }

  #stopHandling(kind: CollectedKind): void {
    const name = resourceName(kind);
    this.#handling.get(name)?.[Symbol.dispose]();
    this.#handling.delete(name);
  }

  #uidsOf({ group, resource }: CollectedKind): readonly string[] {
    return [...this.#graph.all()].flatMap(({ kind, uid }) =>
      kind.group === group && kind.resource === resource ? [uid] : [],
    );
  }

  #changed(node: GraphNode): void {
    const before = this.#graph.get(node.uid);
    const sameOwners = before !== undefined && deepEqual([...before.owners], [...node.owners]);
    if (sameOwners && before.isBeingDeleted === node.isBeingDeleted) {
      if (before.deletesDependents === node.deletesDependents && before.orphansDependents === node.orphansDependents) {
        return;
      }
    }
    this.#graph.put(node);
    const { queue } = this.#context;
    if (node.orphansDependents) queue.add(`orphan:${node.uid}`);
    if (node.deletesDependents) {
      queue.add(`delete:${node.uid}`);
      for (const { uid } of this.#graph.dependentsOf(node.uid)) queue.add(`delete:${uid}`);
    }
    if (sameOwners) return;
    // Owners that wait may be waiting for what is no longer theirs.
    for (const { uid } of before?.owners ?? []) this.#lookAgain(uid);
    for (const owner of node.owners) {
      const known = this.#graph.get(owner.uid);
      if (known === undefined || known.deletesDependents || !fits(known, node)) queue.add(`delete:${node.uid}`);
    }
  }

  #gone(uid: string): void {
    const node = this.#graph.get(uid);
    this.#graph.remove(uid);
    this.#isAbsent(uid);
    for (const dependent of this.#graph.dependentsOf(uid)) this.#context.queue.add(`delete:${dependent.uid}`);
    for (const owner of node?.owners ?? []) this.#lookAgain(owner.uid);
  }

  #lookAgain(uid: string): void {
    if (this.#graph.get(uid)?.deletesDependents === true) this.#context.queue.add(`delete:${uid}`);
  }

  #isAbsent(uid: string): void {
    this.#absent.add(uid);
    const [oldest] = this.#absent;
    if (this.#absent.size > MOST_ABSENT && oldest !== undefined) this.#absent.delete(oldest);
  }

  /** Deletes an object whose owners are all gone, or takes those that are gone out of it. */
  async #collect(node: GraphNode): Promise<void> {
    if (node.isBeingDeleted && !node.deletesDependents) return;
    const object = await this.#read(node);
    if (object === undefined) return;
    if (node.deletesDependents) return await this.#deleteDependents(node, object);
    const references = object.metadata.ownerReferences ?? [];
    if (references.length === 0) return;
    const { solid, dangling, waiting } = await this.#classify(node, references);
    if (solid.length > 0) {
      if (dangling.length + waiting.length > 0) await this.#setOwners(node, object, solid);
      return;
    }
    const dependents = this.#graph.dependentsOf(node.uid);
    if (waiting.length > 0 && dependents.length > 0) {
      // Owners in a circle would wait for each other for ever.
      if (dependents.some((one) => one.deletesDependents)) {
        const free = references.map((owner) => ({ ...owner, blockOwnerDeletion: false }));
        await this.#setOwners(node, object, free);
      }
      await this.#delete(node, "Foreground");
      return;
    }
    const { finalizers = [] } = object.metadata;
    await this.#delete(
      node,
      finalizers.includes(ORPHAN) ? "Orphan" : finalizers.includes(FOREGROUND) ? "Foreground" : "Background",
    );
  }

  async #classify(node: GraphNode, references: readonly OwnerReference[]) {
    const solid: OwnerReference[] = [];
    const dangling: OwnerReference[] = [];
    const waiting: OwnerReference[] = [];
    for (const owner of references) {
      const found = await this.#ownerOf(node, owner);
      if (found === undefined) dangling.push(owner);
      else if (found === "unknowable" || !found.deletesDependents) solid.push(owner);
      else waiting.push(owner);
    }
    return { solid, dangling, waiting };
  }

  /** @throws FailedPrecondition for an owner of a kind that is not served: nobody knows whether it is there */
  async #ownerOf(node: GraphNode, owner: OwnerReference): Promise<GraphNode | "unknowable" | undefined> {
    const known = this.#graph.get(owner.uid);
    if (known !== undefined && fits(known, node)) return known;
    if (known === undefined && this.#absent.has(owner.uid)) return undefined;
    const own = this.#kinds.find(owner.apiVersion, owner.kind);
    const kind = own ?? this.#aggregated.find(owner.apiVersion, owner.kind);
    if (kind === undefined) {
      throw new FailedPrecondition(`${owner.kind} of ${owner.apiVersion}, which owns ${node.name}, is not served`);
    }
    if (kind.namespaced && node.namespace === "") return "unknowable";
    if (known !== undefined) this.#tellWrongNamespace(node, owner);
    const namespace = kind.namespaced ? node.namespace : "";
    const present = await (own === undefined
      ? this.#getRemote(kind, namespace, owner.name)
      : this.#get(refTo(kind, namespace, owner.name)));
    if (present?.metadata.uid === owner.uid) return nodeOf(kind, present);
    if (known === undefined) this.#isAbsent(owner.uid);
    return undefined;
  }

  #tellWrongNamespace({ kind, name, namespace, uid }: GraphNode, owner: OwnerReference): void {
    const about: KubeObject = {
      apiVersion: kind.group === "" ? kind.version : `${kind.group}/${kind.version}`,
      kind: kind.kind,
      metadata: { name, uid, ...(namespace === "" ? {} : { namespace }) },
    };
    const words = `ownerRef [${owner.apiVersion}/${owner.kind}, namespace: ${namespace}, name: ${owner.name}, uid: ${owner.uid}] does not exist in namespace "${namespace}"`;
    this.#context.events.record(about, "Warning", "OwnerRefInvalidNamespace", words);
  }

  /** Goes on with an object that is deleted after what depends on it. */
  async #deleteDependents(node: GraphNode, object: KubeObject): Promise<void> {
    const blocking = this.#graph
      .dependentsOf(node.uid)
      // One that owns itself does not wait for itself.
      .filter(({ uid: own, owners }) =>
        owners.some(({ uid, blockOwnerDeletion }) => uid === node.uid && own !== uid && blockOwnerDeletion === true),
      );
    if (blocking.length === 0) {
      await this.#removeFinalizer(node, object, FOREGROUND);
      return;
    }
    for (const { uid, deletesDependents } of blocking) {
      if (!deletesDependents) this.#context.queue.add(`delete:${uid}`);
    }
  }

  /** Lets the dependents of an object go, and then the object. */
  async #orphan(node: GraphNode): Promise<void> {
    if (!node.orphansDependents) return;
    for (const dependent of this.#graph.dependentsOf(node.uid)) {
      const object = await this.#read(dependent);
      if (object === undefined) continue;
      const owners = (object.metadata.ownerReferences ?? []).filter(({ uid }) => uid !== node.uid);
      await this.#setOwners(dependent, object, owners);
    }
    const object = await this.#read(node);
    if (object !== undefined) await this.#removeFinalizer(node, object, ORPHAN);
  }

  async #removeFinalizer(node: GraphNode, { metadata }: KubeObject, finalizer: string): Promise<void> {
    const { finalizers = [], resourceVersion } = metadata;
    if (!finalizers.includes(finalizer)) return;
    const left = finalizers.filter((one) => one !== finalizer);
    await this.#patch(node, { resourceVersion, finalizers: left });
  }

  async #setOwners(node: GraphNode, { metadata }: KubeObject, owners: readonly OwnerReference[]): Promise<void> {
    await this.#patch(node, { resourceVersion: metadata.resourceVersion, ownerReferences: [...owners] });
  }

  async #patch(node: GraphNode, metadata: KubeObject["metadata"]): Promise<void> {
    try {
      await this.#context.client.patch(refOfNode(node), "merge", { metadata: { uid: node.uid, ...metadata } });
    } catch (error) {
      if (!(error instanceof NotFound)) throw error;
    }
  }

  async #delete(node: GraphNode, propagationPolicy: NonNullable<DeleteOptions["propagationPolicy"]>): Promise<void> {
    try {
      await this.#context.client.delete(refOfNode(node), { propagationPolicy, preconditions: { uid: node.uid } });
    } catch (error) {
      // Gone, or another one of the same name: neither is ours to delete.
      if (!(error instanceof NotFound || error instanceof Conflict)) throw error;
    }
  }

  /** The object as the server has it now; undefined where it is gone. */
  async #read(node: GraphNode): Promise<KubeObject | undefined> {
    const object = await this.#get(refOfNode(node));
    return object?.metadata.uid === node.uid ? object : undefined;
  }

  /** @throws FailedPrecondition where it is not known whether it is gone, or only who has it */
  async #getRemote(kind: CollectedKind, namespace: string, name: string): Promise<KubeObject | undefined> {
    try {
      return await this.#context.client.get(refTo(kind, namespace, name));
    } catch (error) {
      if (!(error instanceof NotFound)) throw error;
      // Of an APIService that has just gone all is not found, and names no object.
      if (statusOf(error)?.details?.name === name || (await this.#aggregated.isServed(kind))) return undefined;
      throw new FailedPrecondition(`${kind.resource} of ${kind.group}/${kind.version} are no longer served`, {
        cause: error,
      });
    }
  }

  async #get(ref: ObjectRef): Promise<KubeObject | undefined> {
    try {
      return await this.#context.client.get(ref);
    } catch (error) {
      if (error instanceof NotFound) return undefined;
      throw error;
    }
  }
}

/** An owner is of the cluster, or of the same namespace. */
function fits(owner: GraphNode, dependent: GraphNode): boolean {
  return !owner.kind.namespaced || owner.namespace === dependent.namespace;
}

const refOfNode = ({ kind, namespace, name }: GraphNode): ObjectRef => refTo(kind, namespace, name);

function refTo(kind: CollectedKind, namespace: string, name: string): ObjectRef {
  return { ...resourceOf(kind), ...(namespace === "" ? {} : { namespace }), name };
}
