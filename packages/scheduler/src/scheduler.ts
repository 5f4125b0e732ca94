import { type KubeObject, textAt } from "@boxship/api";
import { type Clock, Conflict, errorMessage, type Logger, NotFound, systemClock } from "@boxship/base";
import { type ApiClient, EventRecorder, Informer } from "@boxship/client";
import { ClusterState } from "./cluster/cluster-state.ts";
import type { NodeInfo } from "./cluster/node-info.ts";
import { describeMisfit } from "./cycle/describe-misfit.ts";
import { type Misfit, NodeFinder } from "./cycle/find-node.ts";
import { agreeOnPreemption, bindByExtenders, filterByExtenders, scoreByExtenders } from "./extenders/ask-extenders.ts";
import { type Extender, interestedIn } from "./extenders/extender.ts";
import { followCluster } from "./follow-cluster.ts";
import type { Plugin } from "./plugin.ts";
import type { PodInfo } from "./pod/pod-info.ts";
import { evict } from "./preemption/evict.ts";
import {
  bestPreemption,
  budgetOf,
  findPreemptions,
  type Preemption,
  type PreemptionContext,
} from "./preemption/preempt.ts";
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
  /** Asked about places besides the plugins of every profile. @default none */
  readonly extenders?: readonly Extender[];
  /** Milliseconds between tries of one pod: the first wait, and the longest. @default 1 s, 10 s */
  readonly backoff?: { readonly first: number; readonly most: number };
  /** Decides only when {@link Scheduler.settle} is called. @default false */
  readonly isStepped?: boolean;
  /** From 0 to below 1. @default Math.random */
  readonly random?: () => number;
}

/** Writes of one that is stepped that take their time. */
export interface SchedulerStalls {
  /** Some that waited go on since the last time. */
  readonly resumed: boolean;
  /** Resolves when all that is being written has to wait. */
  stalled(): Promise<unknown>;
}

/** Of pods that name none. */
const DEFAULT_SCHEDULER = "default-scheduler";
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
  /** By scheduler's name. */
  readonly #events: ReadonlyMap<string, EventRecorder>;
  readonly #reporter: Reporter;
  readonly #budgets: Informer<KubeObject>;
  /** By resource. */
  readonly #informers = new Map<string, Informer<KubeObject>>();
  readonly #following: Disposable;
  /** What was begun and has not ended. */
  readonly #pending = new Set<Promise<void>>();
  readonly #ending = new AbortController();
  #bindings = 0;
  /** Somebody outside is asked about a pod: no other one is decided about meanwhile. */
  #isAsking = false;
  #isScheduled = false;
  #isReady = false;
  #ended = false;

  constructor(options: SchedulerOptions) {
    const { client, logger, clock = systemClock, profiles = [defaultProfile], random = Math.random } = options;
    this.#options = options;
    this.#clock = clock;
    this.#random = random;
    this.#profiles = new Map(profiles.map((profile) => [profile.schedulerName, profile]));
    const recorder = (component: string): EventRecorder => new EventRecorder({ client, component, logger, clock });
    const first = recorder(profiles[0]?.schedulerName ?? DEFAULT_SCHEDULER);
    const others = profiles.slice(1).map(({ schedulerName: name }) => [name, recorder(name)] as const);
    this.#events = new Map([[profiles[0]?.schedulerName ?? DEFAULT_SCHEDULER, first], ...others]);
    const eventsOf = ({ spec: { schedulerName = DEFAULT_SCHEDULER } }: PodInfo) =>
      this.#events.get(schedulerName) ?? first;
    this.#reporter = new Reporter(client, eventsOf, clock, logger);
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
   * waits until all of that is written, or waits for its time.
   *
   * @param newest the newest revision of each resource, e.g. `pods`, `replicasets.apps`
   * @param stalls @default no write takes any time
   * @returns how many pods it has looked at
   */
  async settle(newest: ReadonlyMap<string, number>, stalls?: SchedulerStalls): Promise<number> {
    for (const [name, informer] of this.#informers) {
      const revision = newest.get(name) ?? 0;
      if (!(Number(informer.version) >= revision)) await informer.until(() => Number(informer.version) >= revision);
    }
    if (stalls?.resumed === true) await Promise.race([Promise.all(this.#pending), stalls.stalled()]);
    let tried = 0;
    for (let queued = this.#queue.take(); queued !== undefined; queued = this.#queue.take(), tried++) {
      const before = new Set(this.#pending);
      this.#place(queued);
      const all = Promise.all([...this.#pending].filter((one) => !before.has(one)));
      await (stalls === undefined ? all : Promise.race([all, stalls.stalled()]));
    }
    return tried;
  }

  async #begin(): Promise<void> {
    for (const one of this.#informers.values()) one.start();
    await Promise.all([...this.#informers.values()].map(({ synced }) => synced));
    this.#isReady = true;
    this.#wake();
  }

  #profileOf({ spec: { schedulerName = DEFAULT_SCHEDULER } }: PodInfo): Profile | undefined {
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
    while (!this.#ended && !this.#isAsking && this.#bindings < MOST_BINDINGS) {
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
    if (profile === undefined) {
      this.#queue.done(queued);
      return;
    }
    const extenders = interestedIn(pod, this.#options.extenders ?? []);
    if (extenders.length > 0) {
      this.#askOthers(queued, profile, extenders);
      return;
    }
    try {
      const found = this.#finder.find(profile, pod, this.#promises.nodeOf(pod.uid));
      if ("node" in found) this.#take(queued, found.node);
      else this.#refuse(queued, profile, found.misfit);
    } catch (error) {
      // What a plugin throws is its pod's misfortune, and not everybody's.
      this.#queue.putFailed(queued);
      this.#later(() => this.#reporter.failed(pod, errorMessage(error)));
    }
  }

  /** As {@link #place}, with extenders, which take their time. */
  #askOthers(queued: QueuedPod, profile: Profile, extenders: readonly Extender[]): void {
    this.#isAsking = true;
    this.#later(async () => {
      try {
        await this.#placeBy(queued, profile, extenders);
      } catch (error) {
        if (this.#ended || !this.#isThere(queued.pod)) return this.#queue.done(queued);
        this.#queue.putFailed(queued);
        await this.#reporter.failed(queued.pod, errorMessage(error));
      } finally {
        this.#isAsking = false;
        this.#wake();
      }
    });
  }

  /** It may have gone while others were asked, or somebody else may have given it a place. */
  #isThere({ key, uid }: PodInfo): boolean {
    const { metadata, ...rest } = this.#informers.get("pods")?.get(key) ?? {};
    return metadata?.uid === uid && metadata.deletionTimestamp === undefined && textAt(rest, "spec", "nodeName") === "";
  }

  async #placeBy(queued: QueuedPod, profile: Profile, extenders: readonly Extender[]): Promise<void> {
    const { logger } = this.#options;
    const { pod } = queued;
    const found = this.#finder.candidates(profile, pod);
    if ("misfit" in found) return await this.#refuseBy(queued, profile, found.misfit, extenders);
    const { nodes, rejections } = await filterByExtenders(extenders, pod, found.nodes, logger);
    if (nodes.length === 0) {
      const all = new Map([...found.rejections, ...rejections]);
      const misfit = { rejections: all, plugins: new Set(["Extender"]), nodes: this.#cluster.nodes.length };
      return await this.#refuseBy(queued, profile, misfit, extenders);
    }
    const given = await scoreByExtenders(extenders, pod, nodes, logger);
    const own = new Map(found.nodes.map((node, index) => [node, found.scores[index] ?? 0]));
    const best = this.#finder.best(
      nodes,
      Float64Array.from(nodes, (node, index) => (own.get(node) ?? 0) + (given[index] ?? 0)),
    );
    if (this.#ended || best === undefined || !this.#isThere(pod)) return this.#queue.done(queued);
    // The cluster has gone on meanwhile.
    if (this.#finder.stillFits(profile, pod, best))
      this.#take(
        queued,
        best,
        extenders.filter((one) => "bind" in one),
      );
    else this.#queue.putFailed(queued);
  }

  async #refuseBy(queued: QueuedPod, profile: Profile, misfit: Misfit, extenders: readonly Extender[]): Promise<void> {
    const found = findPreemptions(queued.pod, misfit, this.#preemptionContext(profile));
    const agreed =
      "candidates" in found
        ? await agreeOnPreemption(extenders, queued.pod, found.candidates, this.#options.logger)
        : [];
    if (this.#ended || !this.#isThere(queued.pod)) return this.#queue.done(queued);
    this.#settleRefusal(queued, misfit, bestPreemption(agreed), found.message);
    // Nobody tells when an extender changes its mind.
    if (misfit.plugins.has("Extender")) this.#queue.putFailed(queued);
  }

  #take(queued: QueuedPod, node: NodeInfo, binders: readonly Extender[] = []): void {
    const { pod } = queued;
    const plans = planVolumes(pod, node, this.#cluster);
    const promised = this.#promises.nodeOf(pod.uid);
    this.#queue.done(queued);
    this.#cluster.volumes.promise(plans);
    this.#cluster.setPod(pod, node.name);
    this.#promises.delete(pod.uid);
    this.#later(() => this.#bind(queued, node, plans, binders));
    // Others may want to be near to it, or what was kept free for it.
    this.#queue.changed({ kind: "podPlaced", pod });
    if (promised !== undefined && promised !== node.name) this.#queue.changed({ kind: "podGone", pod });
  }

  #preemptionContext(profile: Profile): PreemptionContext {
    const budgets = [...this.#budgets.all()].map(budgetOf);
    return { profile, cluster: this.#cluster, promises: this.#promises, budgets, random: this.#random };
  }

  #refuse(queued: QueuedPod, profile: Profile, misfit: Misfit): void {
    const found = findPreemptions(queued.pod, misfit, this.#preemptionContext(profile));
    const chosen = "candidates" in found ? bestPreemption(found.candidates) : undefined;
    this.#settleRefusal(queued, misfit, chosen, found.message);
  }

  #settleRefusal(queued: QueuedPod, misfit: Misfit, chosen: Preemption | undefined, why: string): void {
    const { pod } = queued;
    const promises = this.#promises;
    this.#queue.putUnschedulable(queued, misfit.plugins);
    if (chosen !== undefined) {
      const { node } = chosen;
      const outdone = promises.on(node.name).filter(({ priority }) => priority < pod.priority);
      for (const { uid } of outdone) promises.delete(uid);
      promises.set(pod, node.name);
      this.#later(() => this.#makeRoom(pod, chosen));
      this.#later(() => this.#reporter.unschedulable(pod, describeMisfit(misfit), node.name));
      return;
    }
    // What it was promised it does not get any more, unless it is only waited for.
    const isWaitedFor = why.includes("terminating pod");
    const promised = promises.nodeOf(pod.uid) === undefined || isWaitedFor ? undefined : "";
    if (promised === "") {
      promises.delete(pod.uid);
      this.#queue.changed({ kind: "podGone", pod });
    }
    const message = describeMisfit(misfit, misfit.nodes === 0 ? undefined : why || undefined);
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

  async #bind(
    queued: QueuedPod,
    node: NodeInfo,
    plans: readonly ClaimPlan[],
    binders: readonly Extender[],
  ): Promise<void> {
    const { pod } = queued;
    try {
      if (plans.length > 0) await this.#bindClaims(plans);
    } catch (error) {
      this.#cluster.volumes.takeBack(plans);
      this.#takeBack(queued);
      if (this.#ended || !this.#isThere(pod)) return;
      this.#queue.putFailed(queued);
      await this.#reporter.failed(pod, `running PreBind plugin "VolumeBinding": ${errorMessage(error)}`);
      return;
    }
    this.#bindings++;
    try {
      const isBound = await bindByExtenders(binders, pod, node.name, this.#options.logger);
      if (!isBound) await this.#writeBinding(pod, node.name);
      this.#reporter.scheduled(pod, node.name);
    } catch (error) {
      this.#takeBack(queued);
      // It went, or somebody else was quicker: the informer tells.
      if (error instanceof NotFound || error instanceof Conflict || !this.#isThere(pod)) return;
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
    await Promise.all([...this.#events.values()].map((recorder) => recorder[Symbol.asyncDispose]()));
  }
}
