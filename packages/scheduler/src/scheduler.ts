import type { KubeObject } from "@boxship/api";
import { type Clock, Conflict, errorMessage, type Logger, NotFound, systemClock } from "@boxship/base";
import { type ApiClient, EventRecorder, Informer } from "@boxship/client";
import { ClusterState } from "./cluster/cluster-state.ts";
import type { NodeInfo } from "./cluster/node-info.ts";
import { describeMisfit } from "./cycle/describe-misfit.ts";
import { type Misfit, NodeFinder } from "./cycle/find-node.ts";
import { followCluster } from "./follow-cluster.ts";
import type { Plugin } from "./plugin.ts";
import type { PodInfo } from "./pod/pod-info.ts";
import { evict } from "./preemption/evict.ts";
import { budgetOf, type Preemption, preempt } from "./preemption/preempt.ts";
import { PromisedPlaces } from "./preemption/promised-places.ts";
import { defaultProfile, type Profile } from "./profile.ts";
import { type QueuedPod, SchedulingQueue } from "./queue/scheduling-queue.ts";
import { podRef, Reporter } from "./report.ts";
import { bindClaims } from "./volumes/bind-claims.ts";
import { planVolumes } from "./volumes/plan-volumes.ts";
import type { ClaimPlan } from "./volumes/volume-state.ts";

export interface SchedulerOptions {
  /** Stays the caller's. */
  readonly client: ApiClient;
  readonly logger: Logger;
  readonly clock?: Clock;
  /** Each under its own scheduler's name. @default upstream's default profile */
  readonly profiles?: readonly Profile[];
  /** Milliseconds between tries of one pod: the first wait, and the longest. @default 1 s, 10 s */
  readonly backoff?: { readonly first: number; readonly most: number };
  /** Decides only when {@link Scheduler.settle} is called. @default false */
  readonly isStepped?: boolean;
  /** From 0 to below 1. @default Math.random */
  readonly random?: () => number;
}

/** Milliseconds of deciding after which others have their turn. */
const SLICE_MS = 10;
/** Bindings on their way at once. */
const MOST_BINDINGS = 128;

/**
 * Places pods on nodes. Deciding is synchronous, one pod after the other on one picture of the cluster; binding, telling and
 * evicting go on beside it. A pod counts as placed from the decision on, and no longer if it could not be bound.
 */
export class Scheduler implements AsyncDisposable {
  /** Resolves when all is known that was there, and pods are being placed. */
  readonly ready: Promise<void>;
  readonly #options: SchedulerOptions;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #profiles: ReadonlyMap<string, Profile>;
  readonly #cluster = new ClusterState();
  readonly #promises = new PromisedPlaces();
  readonly #queue: SchedulingQueue;
  readonly #finder: NodeFinder;
  readonly #events: EventRecorder;
  readonly #reporter: Reporter;
  readonly #budgets: Informer<KubeObject>;
  /** By resource. */
  readonly #informers = new Map<string, Informer<KubeObject>>();
  readonly #following: Disposable;
  /** What was begun and has not ended. */
  readonly #pending = new Set<Promise<void>>();
  readonly #ending = new AbortController();
  #bindings = 0;
  #isScheduled = false;
  #isReady = false;
  #ended = false;

  constructor(options: SchedulerOptions) {
    const { client, logger, clock = systemClock, profiles = [defaultProfile], random = Math.random } = options;
    this.#options = options;
    this.#clock = clock;
    this.#random = random;
    this.#profiles = new Map(profiles.map((profile) => [profile.schedulerName, profile]));
    this.#events = new EventRecorder({ client, component: profiles[0]?.schedulerName ?? "", logger, clock });
    this.#reporter = new Reporter(client, this.#events, clock, logger);
    this.#finder = new NodeFinder(this.#cluster, this.#promises, random);
    this.#queue = new SchedulingQueue({
      clock,
      pluginsOf: (pod) => this.#pluginsOf(pod),
      ...(options.backoff === undefined ? {} : { backoff: options.backoff }),
      onReady: () => this.#wake(),
    });
    const informer = (group: string, version: string, resource: string): Informer<KubeObject> => {
      const made = new Informer<KubeObject>({
        client,
        logger,
        // What waits for the server waits in its time.
        clock: options.isStepped === true ? systemClock : clock,
        collection: { group, version, resource },
      });
      this.#informers.set(group === "" ? resource : `${resource}.${group}`, made);
      return made;
    };
    const [nodes, namespaces, pods] = [
      informer("", "v1", "nodes"),
      informer("", "v1", "namespaces"),
      informer("", "v1", "pods"),
    ];
    const [claims, volumes] = [informer("", "v1", "persistentvolumeclaims"), informer("", "v1", "persistentvolumes")];
    const [classes, drivers] = [
      informer("storage.k8s.io", "v1", "storageclasses"),
      informer("storage.k8s.io", "v1", "csinodes"),
    ];
    const [services, controllers, replicaSets, statefulSets] = [
      informer("", "v1", "services"),
      informer("", "v1", "replicationcontrollers"),
      informer("apps", "v1", "replicasets"),
      informer("apps", "v1", "statefulsets"),
    ];
    this.#budgets = informer("policy", "v1", "poddisruptionbudgets");
    const isOurs = (pod: PodInfo): boolean => this.#profileOf(pod) !== undefined;
    this.#following = followCluster({
      cluster: this.#cluster,
      queue: this.#queue,
      promises: this.#promises,
      isOurs,
      pods,
      nodes,
      namespaces,
      claims,
      volumes,
      classes,
      drivers,
      selecting: {
        Service: services,
        ReplicationController: controllers,
        ReplicaSet: replicaSets,
        StatefulSet: statefulSets,
      },
    });
    this.ready = this.#begin();
  }

  /** How many pods wait, and where. */
  get waiting(): SchedulingQueue["sizes"] {
    return this.#queue.sizes;
  }

  /**
   * Of one that is stepped: when it knows what the server has, it decides about each pod that waits to be tried, and
   * waits until all of that is written.
   *
   * @param newest the newest revision of each resource, e.g. `pods`, `replicasets.apps`
   * @returns how many pods it has looked at
   */
  async settle(newest: ReadonlyMap<string, number>): Promise<number> {
    for (const [name, informer] of this.#informers) {
      const revision = newest.get(name) ?? 0;
      await informer.until(() => Number(informer.version) >= revision);
    }
    let tried = 0;
    for (let queued = this.#queue.take(); queued !== undefined; queued = this.#queue.take(), tried++) {
      this.#place(queued);
      await Promise.all(this.#pending);
    }
    return tried;
  }

  async #begin(): Promise<void> {
    for (const one of this.#informers.values()) one.start();
    await Promise.all([...this.#informers.values()].map(({ synced }) => synced));
    this.#isReady = true;
    this.#wake();
  }

  #profileOf({ spec: { schedulerName = "default-scheduler" } }: PodInfo): Profile | undefined {
    return this.#profiles.get(schedulerName);
  }

  #pluginsOf(pod: PodInfo): readonly Plugin[] {
    return this.#profileOf(pod)?.plugins ?? [];
  }

  /** Decides soon, when everything that has arrived is known. */
  #wake(): void {
    if (this.#isScheduled || !this.#isReady || this.#ended || this.#options.isStepped === true) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#decide();
    });
  }

  #decide(): void {
    const end = performance.now() + SLICE_MS;
    while (!this.#ended && this.#bindings < MOST_BINDINGS) {
      const queued = this.#queue.take();
      if (queued === undefined) return;
      this.#place(queued);
      if (performance.now() > end) {
        this.#wake();
        return;
      }
    }
  }

  #place(queued: QueuedPod): void {
    const { pod } = queued;
    const profile = this.#profileOf(pod);
    if (profile === undefined) return;
    const found = this.#finder.find(profile, pod, this.#promises.nodeOf(pod.uid));
    if ("node" in found) {
      const plans = planVolumes(pod, found.node, this.#cluster);
      this.#cluster.volumes.promise(plans);
      this.#cluster.setPod(pod, found.node.name);
      this.#promises.delete(pod.uid);
      this.#later(() => this.#bind(queued, found.node, plans));
      // Others may want to be near to it.
      this.#queue.changed({ kind: "podPlaced", pod });
      return;
    }
    this.#refuse(queued, profile, found.misfit);
  }

  #refuse(queued: QueuedPod, profile: Profile, misfit: Misfit): void {
    const { pod } = queued;
    this.#queue.putUnschedulable(queued, misfit.plugins);
    const budgets = [...this.#budgets.all()].map(budgetOf);
    const { cluster, promises, random } = { cluster: this.#cluster, promises: this.#promises, random: this.#random };
    const result = preempt(pod, misfit, { profile, cluster, promises, budgets, random });
    if ("chosen" in result) {
      const { node } = result.chosen;
      const outdone = promises.on(node.name).filter(({ priority }) => priority < pod.priority);
      for (const { uid } of outdone) promises.delete(uid);
      promises.set(pod, node.name);
      this.#later(() => this.#makeRoom(pod, result.chosen));
      this.#later(() => this.#reporter.unschedulable(pod, describeMisfit(misfit), node.name));
      return;
    }
    // What it was promised it does not get any more, unless it is only waited for.
    const isWaitedFor = result.message.includes("terminating pod");
    const promised = promises.nodeOf(pod.uid) === undefined || isWaitedFor ? undefined : "";
    if (promised === "") promises.delete(pod.uid);
    const message = describeMisfit(misfit, misfit.nodes === 0 ? undefined : result.message || undefined);
    this.#later(() => this.#reporter.unschedulable(pod, message, promised));
  }

  async #makeRoom(pod: PodInfo, { node, victims }: Preemption): Promise<void> {
    const { client } = this.#options;
    const going = victims.filter(({ isTerminating }) => !isTerminating);
    await Promise.all(
      going.map(async (victim) => {
        await evict(client, victim, pod, this.#clock);
        this.#reporter.preempted(victim, pod, node.name);
      }),
    );
  }

  async #bind(queued: QueuedPod, node: NodeInfo, plans: readonly ClaimPlan[]): Promise<void> {
    const { pod } = queued;
    try {
      if (plans.length > 0) await this.#bindClaims(plans);
    } catch (error) {
      this.#cluster.volumes.takeBack(plans);
      this.#takeBack(queued);
      if (this.#ended) return;
      this.#queue.putFailed(queued);
      await this.#reporter.failed(pod, `running PreBind plugin "VolumeBinding": ${errorMessage(error)}`);
      return;
    }
    this.#bindings++;
    try {
      await this.#writeBinding(pod, node.name);
      this.#reporter.scheduled(pod, node.name);
    } catch (error) {
      this.#takeBack(queued);
      // It went, or somebody else was quicker: the informer tells.
      if (error instanceof NotFound || error instanceof Conflict) return;
      this.#queue.putFailed(queued);
      await this.#reporter.failed(pod, `binding rejected: ${errorMessage(error)}`);
    } finally {
      this.#bindings--;
      this.#wake();
    }
  }

  async #bindClaims(plans: readonly ClaimPlan[]): Promise<void> {
    const { volumes } = this.#cluster;
    const { signal } = this.#ending;
    await bindClaims(plans, { client: this.#options.client, volumes, clock: this.#clock, signal });
    volumes.takeBack(plans);
  }

  async #writeBinding({ pod }: PodInfo, nodeName: string): Promise<void> {
    const { namespace, name, resource, group, version } = podRef(pod);
    const { uid = "" } = pod.metadata;
    const binding = {
      apiVersion: "v1",
      kind: "Binding",
      metadata: { namespace: namespace ?? "", name, uid },
      target: { apiVersion: "v1", kind: "Node", name: nodeName },
    };
    await this.#options.client.create({ group, version, resource, namespace: namespace ?? "" }, binding, {
      subresource: "binding",
    });
  }

  /** The pod did not get its place: unless the server has said meanwhile where it is. */
  #takeBack({ pod }: QueuedPod): void {
    if (this.#cluster.podAt(pod.key) !== pod) return;
    this.#cluster.removePod(pod.key);
    this.#queue.changed({ kind: "podGone", pod });
  }

  /** Does something beside deciding; what fails is logged. */
  #later(work: () => Promise<void>): void {
    const running = work()
      .catch((error: unknown) => this.#options.logger.warn("the scheduler could not do what it decided", { error }))
      .finally(() => this.#pending.delete(running));
    this.#pending.add(running);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended = true;
    this.#ending.abort(new DOMException("the scheduler has ended", "AbortError"));
    this.#following[Symbol.dispose]();
    this.#queue[Symbol.dispose]();
    await Promise.all([...this.#informers.values()].map((informer) => informer[Symbol.asyncDispose]()));
    await Promise.allSettled(this.#pending);
    await this.#events[Symbol.asyncDispose]();
  }
}
