import { mkdir } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { KUBERNETES_LEVEL, type KubeObject } from "@boxship/api";
import { type Clock, type Logger, sleep, systemClock } from "@boxship/base";
import { type ApiClient, Backoff, EventRecorder, Informer, persist } from "@boxship/client";
import type { Cri } from "@boxship/cri";
import { ReferencedObjects } from "../environment/referenced-objects.ts";
import { NodeImages } from "../images/node-images.ts";
import { PullImages } from "../images/pull-images.ts";
import { PulledImages } from "../images/pulled-images.ts";
import { LABEL } from "../labels.ts";
import { answerMetrics } from "../metrics/metrics-api.ts";
import { nodeMetrics, type Told } from "../metrics/node-metrics.ts";
import { UsageSamples } from "../metrics/usage-samples.ts";
import { type ClusterDnsSettings, logDirectory } from "../pods/pod-config.ts";
import { PodWorker } from "../pods/pod-worker.ts";
import { SysctlAllowlist } from "../pods/sysctl-allowlist.ts";
import { UserRanges } from "../pods/user-ranges.ts";
import { NodePressure } from "../pressure/node-pressure.ts";
import { type NodeSignals, readSignals } from "../pressure/read-signals.ts";
import { type EvictionSettings, isStillFull, type PressureCondition } from "../pressure/thresholds.ts";
import { NodeServer } from "../server/node-server.ts";
import { NodeShutdown, SHUTDOWN_REJECTION } from "../shutdown/node-shutdown.ts";
import type { ShutdownPeriod } from "../shutdown/shutdown-periods.ts";
import { ShutdownRecord } from "../shutdown/shutdown-record.ts";
import { StaticPods } from "../static/static-pods.ts";
import { amount } from "../status/qos.ts";
import { isOver, type Pod } from "../types.ts";
import { ClaimVolumes } from "../volumes/claim-volumes.ts";
import { diskUsage } from "../volumes/disk-usage.ts";
import { Volumes } from "../volumes/volumes.ts";
import { beat } from "./beat.ts";
import { engineEvents } from "./engine-events.ts";
import { EngineHealth } from "./engine-health.ts";
import { type NodeContext, PODS } from "./node-context.ts";
import { PodTokens } from "./pod-tokens.ts";
import { capacityOf, MOST_PODS, type NodeFacts, registerNode, renewLease, writeNodeStatus } from "./register-node.ts";

export interface NodeAgentOptions {
  /** Of `system:node:NAME`; stays the caller's. */
  readonly client: ApiClient;
  /** Stays the caller's. */
  readonly cri: Cri;
  readonly name: string;
  /** The node's own as they are now, as pods and others reach it: one of each family that the networks of pods have. */
  readonly addresses: (networks: readonly string[]) => readonly string[];
  /** What pods' addresses are of (`address/length`, one of each family), known once the engine answers; no pod is run before. @default not told */
  readonly podNetworks?: Promise<readonly string[]>;
  /** Where volumes and logs of pods are. */
  readonly root: string;
  /** The control group of all pods, e.g. `/boxship/kubepods`. */
  readonly cgroupParent: string;
  /** @default "/etc/resolv.conf" */
  readonly resolvConf?: string;
  /** @default pods ask whom the node asks */
  readonly clusterDns?: ClusterDnsSettings;
  /** Most processes and threads of a pod; -1 for as many as the machine has. @default 4096 */
  readonly podMaxPids?: number;
  /** What pods may set of the kernel's parameters. @default the safe ones */
  readonly sysctls?: SysctlAllowlist;
  /** When pods have to go. @default the usual thresholds */
  readonly eviction?: EvictionSettings;
  /** What pods have to end before the machine goes down. @default they end with it */
  readonly shutdown?: NodeShutdownSettings;
  readonly clock?: Clock;
  readonly logger: Logger;
}

export interface NodeShutdownSettings {
  /** At least one. */
  readonly periods: readonly ShutdownPeriod[];
  /** Of the machine's bus, see `systemBusAddress`. */
  readonly bus: string;
}

/** The engine adds the groups that an image's users are in to what a pod says, and cannot leave that. */
const STRICT_GROUPS = {
  reason: "SupplementalGroupsPolicyNotSupported",
  message: "SupplementalGroupsPolicy=Strict is not supported in this node",
} as const;

/** As kubelets tell of their nodes: the name is the uid. */
const aboutNode = (name: string): KubeObject => ({ apiVersion: "v1", kind: "Node", metadata: { name, uid: name } });

const POD_MAX_PIDS = 4096;

/** Runs the pods that are assigned to one node. Disposing leaves them running. */
export class NodeAgent implements AsyncDisposable {
  /** Resolves when the node is registered and its pods are known. */
  readonly ready: Promise<void>;
  readonly #options: NodeAgentOptions;
  readonly #clock: Clock;
  readonly #engine: EngineHealth;
  readonly #ending = new AbortController();
  readonly #workers = new Map<string, PodWorker>();
  readonly #pods: Informer<Pod>;
  readonly #services: Informer<KubeObject>;
  readonly #events: EventRecorder;
  readonly #objects: ReferencedObjects;
  readonly #tokens: PodTokens;
  readonly #loops: Promise<void>[] = [];
  readonly #server: NodeServer;
  readonly #pressure: NodePressure;
  #shutdown: NodeShutdown | undefined;
  #shutdownRecord: ShutdownRecord | undefined;
  readonly #pulled: PulledImages;
  readonly #images: NodeImages;
  readonly #sysctls: SysctlAllowlist;
  readonly #samples: UsageSamples;
  #node: KubeObject | undefined;
  #networks: readonly string[] = [];
  #context: NodeContext | undefined;

  constructor(options: NodeAgentOptions) {
    this.#options = options;
    const { client, logger, name, clock = systemClock } = options;
    this.#clock = clock;
    this.#engine = new EngineHealth(options.cri, clock);
    options.podNetworks?.catch(() => {});
    this.#pods = new Informer<Pod>({
      client,
      collection: PODS,
      fieldSelector: `spec.nodeName=${name}`,
      logger,
      clock,
    });
    const services = { group: "", version: "v1", resource: "services" };
    this.#services = new Informer({ client, collection: services, logger, clock });
    this.#events = new EventRecorder({ client, component: "kubelet", host: name, logger, clock });
    this.#objects = new ReferencedObjects({ client, logger, clock, changed: (uid) => this.#workers.get(uid)?.wake() });
    this.#tokens = new PodTokens(client, clock);
    const tell = (path: string) => this.#tell(path);
    this.#server = new NodeServer({
      cri: options.cri,
      clock,
      pod: (key) => this.#pods.get(key),
      checkpoints: join(options.root, "checkpoints"),
      tell,
    });
    this.#pulled = new PulledImages({ cri: options.cri, clock, path: join(options.root, "pulled-images.json") });
    this.#sysctls = options.sysctls ?? new SysctlAllowlist();
    this.#images = new NodeImages(options.cri, clock);
    this.#samples = new UsageSamples(options.cri, clock);
    this.#pressure = this.#openPressure();
    this.ready = this.#start();
    this.ready.catch((error: unknown) => {
      if (!this.#ending.signal.aborted) logger.error("the node cannot be run", { node: name, error });
    });
  }

  async #start(): Promise<void> {
    const { client, root, logger } = this.#options;
    await mkdir(root, { recursive: true, mode: 0o755 });
    const record = await ShutdownRecord.open({ path: join(root, "last-shutdown.json"), clock: this.#clock, logger });
    this.#shutdownRecord = record;
    this.#shutdown = this.#openShutdown(record);
    const node = await this.#persist(() => registerNode(client, this.#engine, this.#clock, this.#facts));
    // Engine and cluster are often started together.
    const { engine, waited } = await this.#awaitEngine();
    const { podNetworks } = this.#options;
    this.#networks = (await podNetworks) ?? this.#networks;
    if (waited || podNetworks !== undefined)
      await this.#persist(() => writeNodeStatus(client, this.#engine, this.#clock, this.#facts));
    this.#node = node;
    this.#context = await this.#makeContext(engine);
    await this.#persist(() => renewLease(client, this.#clock, node));
    this.#services.start();
    this.#pods.start();
    await Promise.all([this.#services.synced, this.#pods.synced]);
    await this.#persist(() => this.#removeOrphans());
    const directory = join(root, "manifests");
    const pods = (): Iterable<Pod> => this.#pods.all();
    const isGoing = (): boolean => this.#shutdown?.isGoing === true;
    const statics = new StaticPods({ client, clock: this.#clock, logger, directory, node, pods, isGoing });
    this.#loops.push(statics.run(this.#ending.signal));
    this.#loops.push(this.#beat(node), this.#hear(), this.#pressure.run(this.#ending.signal));
    if (this.#shutdown !== undefined) this.#loops.push(this.#shutdown.run(this.#ending.signal));
    this.#pods.handle({
      added: (pod) => this.#take(pod),
      updated: (pod) => this.#take(pod),
      deleted: (pod) => {
        this.#workers.get(pod.metadata.uid ?? "")?.update(undefined);
        statics.changed(pod);
      },
    });
  }

  /** The machine has other addresses: the node and its pods tell of them, and those on its network are at them. */
  addressesChanged(): void {
    void this.#tellNode().then(() => {
      for (const worker of this.#workers.values()) worker.wake();
    });
  }

  get #addresses(): readonly string[] {
    return this.#options.addresses(this.#networks);
  }

  /** Serves what the API server asks of a node on a connection, see {@link NodeServer}. */
  accept(connection: Duplex): void {
    this.#server.accept(connection);
  }

  /** Answers a question of the metrics API about this node, see {@link answerMetrics}. */
  async answerMetrics(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const nodes = (): readonly KubeObject[] => (this.#node === undefined ? [] : [this.#node]);
    await answerMetrics(request, response, {
      sample: () => this.#samples.sample(),
      nodes,
      pods: () => this.#pods.all(),
    });
  }

  async #tell(path: string): Promise<Told | undefined> {
    const { cri, name, root } = this.#options;
    const context = this.#context;
    if (context === undefined) return undefined;
    return await nodeMetrics(path, {
      node: name,
      version: KUBERNETES_LEVEL,
      cri,
      clock: this.#clock,
      shutdown: this.#shutdownRecord ?? { start: 0, end: 0 },
      settings: context.settings,
      root,
      pods: () => this.#pods.all(),
      placeOf: (pod, volume) => context.volumes.placeOf(pod, volume),
      sample: () => this.#samples.sample(),
    });
  }

  #openPressure(): NodePressure {
    const { cri, root, logger, eviction, name: node } = this.#options;
    const read = (): Promise<NodeSignals> => readSignals(root);
    const enough = async (): Promise<boolean> => !isStillFull(await read());
    return new NodePressure({
      cri,
      clock: this.#clock,
      logger,
      read,
      pods: () => this.#livePods(),
      used: async (pod, path) => (await this.#context?.volumes.used(pod, path)) ?? 0,
      logs: (pod, name) => diskUsage(join(logDirectory(pod, { logs: join(root, "logs") }), name)),
      crossed: (resource) =>
        this.#events.record(aboutNode(node), "Warning", "EvictionThresholdMet", `Attempting to reclaim ${resource}`),
      evict: ({ metadata }, message, seconds) => this.#workers.get(metadata.uid ?? "")?.evict(message, seconds),
      ...(eviction === undefined ? {} : { eviction }),
      reclaim: () => this.#pulled.collect(enough),
      changed: () => void this.#tellNode(),
    });
  }

  #openShutdown(record: ShutdownRecord): NodeShutdown | undefined {
    const { shutdown, logger, name } = this.#options;
    if (shutdown === undefined) return undefined;
    return new NodeShutdown({
      periods: shutdown.periods,
      logind: { address: shutdown.bus },
      clock: this.#clock,
      logger,
      record,
      pods: () => [...this.#pods.all()].filter((pod) => !isOver(pod)),
      terminate: async ({ metadata }, message, seconds) =>
        await this.#workers.get(metadata.uid ?? "")?.terminate({ reason: "Terminated", message }, seconds),
      changed: async (isGoing) => {
        const what = isGoing ? "event" : "cancellation";
        this.#events.record(aboutNode(name), "Normal", "NodeShutdown", `Shutdown manager detected shutdown ${what}`);
        await this.#tellNode();
      },
    });
  }

  /** Tells how the node is, as soon as that is possible. */
  async #tellNode(): Promise<void> {
    const { client } = this.#options;
    const write = () => writeNodeStatus(client, this.#engine, this.#clock, this.#facts);
    // The agent's end ends the trying.
    await this.#persist(write).catch(() => {});
  }

  #livePods(): readonly Pod[] {
    return [...this.#pods.all()].filter((pod) => pod.metadata.deletionTimestamp === undefined && !isOver(pod));
  }

  get #facts(): NodeFacts {
    const { name, root } = this.#options;
    const isGoing = this.#shutdown?.isGoing === true;
    const has = (condition: PressureCondition): boolean => this.#pressure.has(condition);
    const tell = (reason: string): void =>
      this.#events.record(aboutNode(name), "Normal", reason, `Node ${name} status is now: ${reason}`);
    const images = () => this.#images.list();
    return { name, networks: this.#networks, addresses: this.#addresses, root, has, isGoing, images, tell };
  }

  /** @returns what it is called, and whether it had to be waited for */
  async #awaitEngine(): Promise<{ readonly engine: string; readonly waited: boolean }> {
    const backoff = new Backoff({ base: 20, most: 1000 });
    let told: string | undefined;
    for (let waited = false; ; waited = true) {
      const { version, problem } = await this.#engine.look();
      if (version !== undefined) return { engine: version.runtimeName, waited };
      if (problem !== told) {
        const { client } = this.#options;
        await this.#persist(() => writeNodeStatus(client, this.#engine, this.#clock, this.#facts));
        told = problem;
      }
      await sleep(this.#clock, backoff.next(), this.#ending.signal);
    }
  }

  /** Tries until it succeeds or the agent ends: the engine or the API may be away. */
  async #persist<Value>(task: () => Promise<Value>): Promise<Value> {
    return await persist(task, {
      clock: this.#clock,
      signal: this.#ending.signal,
      failed: (error, milliseconds) =>
        this.#options.logger.warn("the node's agent tries again", { error, milliseconds }),
    });
  }

  async #makeContext(engine: string): Promise<NodeContext> {
    const { client, cri, name, root, cgroupParent, resolvConf = "/etc/resolv.conf", logger } = this.#options;
    const { clusterDns, podMaxPids = POD_MAX_PIDS } = this.#options;
    const allocatable = await capacityOf(root);
    const clock = this.#clock;
    const addresses = (): readonly string[] => this.#addresses;
    return {
      client,
      cri,
      engine,
      clock,
      logger,
      events: this.#events,
      settings: {
        logs: join(root, "logs"),
        seccomp: join(root, "seccomp"),
        cgroupParent,
        resolvConf,
        maxPids: podMaxPids,
        ...(clusterDns === undefined ? {} : { clusterDns }),
      },
      volumes: new Volumes(root, new ClaimVolumes({ client, nodeName: name })),
      users: await UserRanges.open({ root, pods: MOST_PODS }),
      objects: this.#objects,
      images: new PullImages({ cri, objects: this.#objects, clock, pulled: this.#pulled }),
      token: this.#tokens.get,
      services: () => this.#services.all(),
      pods: () => this.#livePods(),
      get hostIP() {
        return addresses()[0] ?? "";
      },
      get hostIPs() {
        return addresses();
      },
      allocatable,
      nodeMemory: amount(allocatable["memory"]),
    };
  }

  #take(pod: Pod): void {
    const { uid = "" } = pod.metadata;
    const known = this.#workers.get(uid);
    if (known !== undefined) {
      known.update(pod);
      return;
    }
    if (this.#context === undefined) return;
    const worker = new PodWorker(this.#context, pod, this.#rejection(pod));
    this.#workers.set(uid, worker);
    void worker.finished.then(() => {
      this.#workers.delete(uid);
      this.#tokens.forget(uid);
    });
  }

  /** Why a pod that is new here is not begun; undefined where it is. */
  #rejection(pod: Pod): { readonly reason: string; readonly message: string } | undefined {
    const { metadata, spec, status } = pod;
    if (isOver(pod) || metadata.deletionTimestamp !== undefined || status?.startTime !== undefined) return undefined;
    const isStrict = spec.securityContext?.supplementalGroupsPolicy === "Strict";
    if (isStrict && this.#engine.features?.supplementalGroupsPolicy !== true) return STRICT_GROUPS;
    const forbidden = this.#sysctls.rejection(pod);
    if (forbidden !== undefined) return forbidden;
    return this.#shutdown?.isGoing === true ? SHUTDOWN_REJECTION : this.#pressure.rejection(pod);
  }

  /** Pods of the engine, and files, that no pod of the API stands for. */
  async #removeOrphans(): Promise<void> {
    const { cri } = this.#options;
    const known = new Set([...this.#pods.all()].map(({ metadata }) => metadata.uid ?? ""));
    const { items } = await cri.listPodSandbox({});
    for (const { id, labels } of items) {
      const uid = labels[LABEL.podUid];
      if (uid === undefined || known.has(uid)) continue;
      await cri.stopPodSandbox({ podSandboxId: id });
      await cri.removePodSandbox({ podSandboxId: id });
    }
    const volumes = this.#context?.volumes;
    for (const uid of (await volumes?.uids()) ?? []) {
      if (known.has(uid)) continue;
      await volumes?.remove(uid);
      await this.#context?.users.release(uid);
    }
  }

  async #beat(node: KubeObject): Promise<void> {
    const { client, logger } = this.#options;
    const beats = {
      client,
      engine: this.#engine,
      images: () => this.#images.list(),
      tell: () => writeNodeStatus(client, this.#engine, this.#clock, this.#facts),
      // Pods that wait for their network need not wait longer.
      well: () => this.#workers.forEach((worker) => worker.wake()),
      clock: this.#clock,
      logger,
    };
    await beat(node, beats, this.#ending.signal);
  }

  /** What the engine tells, for as long as there is one. */
  async #hear(): Promise<void> {
    const { cri, logger } = this.#options;
    const { signal } = this.#ending;
    const backoff = new Backoff({ base: 200, most: 5000 });
    while (!signal.aborted) {
      try {
        const events = engineEvents(cri, this.#clock, signal);
        // What happened before it was listened for is looked for.
        for (const worker of this.#workers.values()) worker.wake();
        for await (const { podUid } of events) {
          backoff.reset();
          this.#workers.get(podUid)?.wake();
        }
      } catch (error) {
        if (!signal.aborted) logger.warn("the engine's events have ended", { error });
      }
      await sleep(this.#clock, backoff.next(), signal).catch(() => {});
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort();
    this.#server[Symbol.dispose]();
    for (const worker of this.#workers.values()) worker.stop();
    await Promise.all([this.#pods[Symbol.asyncDispose](), this.#services[Symbol.asyncDispose]()]);
    await Promise.all(this.#loops);
    await this.#objects[Symbol.asyncDispose]();
    await this.#events[Symbol.asyncDispose]();
  }
}
