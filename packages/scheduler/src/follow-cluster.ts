import { type KubeObject, textAt } from "@boxship/api";
import { type Informer, keyOf } from "@boxship/client";
import type { ClusterState } from "./cluster/cluster-state.ts";
import type { SelectingKind } from "./cluster/owner-selectors.ts";
import type { Change, NodeAspect } from "./plugin.ts";
import { hasEnded, type PodInfo, podInfoAfter, podInfoOf } from "./pod/pod-info.ts";
import { nodeSpecOf, nodeStatusOf } from "./pod/types.ts";
import type { PromisedPlaces } from "./preemption/promised-places.ts";
import type { SchedulingQueue } from "./queue/scheduling-queue.ts";

export interface FollowOptions {
  readonly cluster: ClusterState;
  readonly queue: SchedulingQueue;
  readonly promises: PromisedPlaces;
  /** Whether a pod is one that this scheduler places. */
  readonly isOurs: (pod: PodInfo) => boolean;
  readonly pods: Informer<KubeObject>;
  readonly nodes: Informer<KubeObject>;
  readonly namespaces: Informer<KubeObject>;
  readonly claims: Informer<KubeObject>;
  readonly volumes: Informer<KubeObject>;
  readonly classes: Informer<KubeObject>;
  readonly drivers: Informer<KubeObject>;
  readonly selecting: Readonly<Record<SelectingKind, Informer<KubeObject>>>;
}

/** Keeps the scheduler's picture of the cluster, and its queue, as the server's objects are. */
export function followCluster(options: FollowOptions): Disposable {
  const { cluster, pods, nodes, namespaces } = options;
  const stack = new DisposableStack();
  stack.use(
    namespaces.handle({
      added: ({ metadata: { name = "", labels = {} } }) => cluster.setNamespace(name, labels),
      updated: ({ metadata: { name = "", labels = {} } }, before) => {
        if (!isEqual(labels, before.metadata.labels ?? {})) cluster.setNamespace(name, labels);
      },
      deleted: ({ metadata: { name = "" } }) => cluster.setNamespace(name, undefined),
    }),
  );
  stack.use(
    nodes.handle({
      added: (node) => addNode(node, options),
      updated: (node, before) => updateNode(node, before, options),
      deleted: ({ metadata: { name = "" } }) => {
        cluster.removeNode(name);
        options.queue.changed({ kind: "nodeGone", name });
      },
    }),
  );
  followVolumes(options, stack);
  followOwners(options, stack);
  stack.use(
    pods.handle({
      added: (pod) => takePod(podInfoOf(pod), options),
      updated: (pod) => {
        if (!confirmPod(pod, options)) takePod(podInfoOf(pod), options);
      },
      deleted: (pod) => dropPod(podInfoOf(pod), options),
    }),
  );
  return stack;
}

function followOwners({ cluster, selecting }: FollowOptions, stack: DisposableStack): void {
  for (const kind of ["Service", "ReplicationController", "ReplicaSet", "StatefulSet"] as const) {
    const set = (object: KubeObject): void => cluster.owners.set(kind, object);
    const deleted = (object: KubeObject): void => cluster.owners.remove(kind, object);
    stack.use(selecting[kind].handle({ added: set, updated: set, deleted }));
  }
}

function followVolumes({ cluster, queue, ...informers }: FollowOptions, stack: DisposableStack): void {
  const state = cluster.volumes;
  const follow = (
    informer: Informer<KubeObject>,
    set: (object: KubeObject) => void,
    remove: (object: KubeObject) => void,
    changeOf: (object: KubeObject) => Change = () => ({ kind: "volumes" }),
  ): void => {
    const changed = (change: (object: KubeObject) => void) => (object: KubeObject) => {
      change(object);
      queue.changed(changeOf(object));
    };
    stack.use(informer.handle({ added: changed(set), updated: changed(set), deleted: changed(remove) }));
  };
  follow(
    informers.claims,
    (claim) => state.setClaim(claim),
    (claim) => state.removeClaim(claim),
    (claim) => ({ kind: "volumes", claim: keyOf(claim) }),
  );
  follow(
    informers.volumes,
    (volume) => state.setVolume(volume),
    (volume) => state.removeVolume(volume),
  );
  follow(
    informers.classes,
    (one) => state.setClass(one),
    (one) => state.removeClass(one),
  );
  follow(
    informers.drivers,
    (one) => state.setDrivers(one),
    (one) => state.removeDrivers(one),
  );
}

const isEqual = (left: unknown, right: unknown): boolean => JSON.stringify(left) === JSON.stringify(right);

function addNode(object: KubeObject, { cluster, queue }: FollowOptions): void {
  cluster.setNode(object);
  const node = cluster.node(object.metadata.name ?? "");
  if (node !== undefined) queue.changed({ kind: "nodeAdded", node });
}

function updateNode(object: KubeObject, before: KubeObject, { cluster, queue }: FollowOptions): void {
  const what = new Set<NodeAspect>();
  const [spec, old] = [nodeSpecOf(object), nodeSpecOf(before)];
  if (!isEqual(object.metadata.labels, before.metadata.labels)) what.add("labels");
  if (!isEqual([spec.taints, spec.unschedulable], [old.taints, old.unschedulable])) what.add("taints");
  if (!isEqual(nodeStatusOf(object).allocatable, nodeStatusOf(before).allocatable)) what.add("allocatable");
  const hasOtherImages = !isEqual(nodeStatusOf(object).images, nodeStatusOf(before).images);
  // Nodes report that they live every few seconds.
  if (what.size === 0 && !hasOtherImages) return;
  cluster.setNode(object);
  const node = cluster.node(object.metadata.name ?? "");
  if (node !== undefined && what.size > 0) queue.changed({ kind: "nodeChanged", node, what });
}

/** Of a pod that counts already where it is, and that asks for the same. @returns whether it is one */
function confirmPod(object: KubeObject, { cluster, queue, promises }: FollowOptions): boolean {
  const before = cluster.podAt(keyOf(object));
  const node = textAt(object, "spec", "nodeName");
  if (before === undefined || node === "" || cluster.placeOf(before.key) !== node || hasEnded(object)) return false;
  const pod = podInfoAfter(before, object);
  if (pod === undefined) return false;
  cluster.renewPod(pod);
  promises.delete(pod.uid);
  queue.delete(pod.key);
  return true;
}

function takePod(pod: PodInfo, options: FollowOptions): void {
  const { cluster, queue, promises } = options;
  if (hasEnded(pod.pod)) {
    dropPod(pod, options);
    return;
  }
  const { nodeName = "" } = pod.spec;
  if (nodeName !== "") {
    placePod(pod, nodeName, options);
    return;
  }
  // It has been placed, and the server has not been told yet.
  if (cluster.podAt(pod.key)?.uid === pod.uid) return;
  cluster.removePod(pod.key);
  if (!options.isOurs(pod) || pod.isTerminating) {
    queue.delete(pod.key);
    giveUpPromise(pod, options);
    return;
  }
  const promised = textAt(pod.pod, "status", "nominatedNodeName");
  if (promised !== "") promises.set(pod, promised);
  queue.put(pod);
}

function placePod(pod: PodInfo, nodeName: string, { cluster, queue, promises }: FollowOptions): void {
  const before = cluster.podAt(pod.key);
  cluster.setPod(pod, nodeName);
  promises.delete(pod.uid);
  queue.delete(pod.key);
  if (before === undefined) queue.changed({ kind: "podPlaced", pod });
  else if (!isEqual(before.labels, pod.labels)) {
    // Some want to be away from what it was, and some near to what it is.
    queue.changed({ kind: "podGone", pod: before });
    queue.changed({ kind: "podPlaced", pod });
  } else if (asksForLess(before, pod) || before.isTerminating !== pod.isTerminating)
    queue.changed({ kind: "podGone", pod });
}

const asksForLess = ({ requests: { asked: before } }: PodInfo, { requests: { asked: now } }: PodInfo): boolean =>
  now.cpu < before.cpu || now.memory < before.memory;

/** What was kept free for it is everybody's. */
function giveUpPromise(pod: PodInfo, { promises, queue }: FollowOptions): void {
  if (promises.nodeOf(pod.uid) === undefined) return;
  promises.delete(pod.uid);
  queue.changed({ kind: "podGone", pod });
}

function dropPod(pod: PodInfo, options: FollowOptions): void {
  const { cluster, queue } = options;
  queue.delete(pod.key);
  giveUpPromise(pod, options);
  if (cluster.podAt(pod.key)?.uid !== pod.uid) return;
  cluster.removePod(pod.key);
  queue.changed({ kind: "podGone", pod });
}
