import { join } from "node:path";
import { Conflict, KeyedMutex } from "@boxship/base";
import { openCgroup } from "@boxship/kernel";
import { NetworkManager } from "@boxship/network";
import { ContainerRuntime } from "@boxship/runtime";
import { Snapshotter, VolumeStore } from "@boxship/storage";
import { confinedNetwork, type EngineNetwork } from "./confined/confined-network.ts";
import { confinedRuntime, type EngineRuntime } from "./confined/confined-runtime.ts";
import { handleExit } from "./container/container-exit.ts";
import { removeContainer } from "./container/container-remove.ts";
import { ContainerStore } from "./container/container-store.ts";
import { Waiters } from "./container/container-wait.ts";
import { containersApi } from "./container/containers.ts";
import { restoreContainers } from "./container/restore.ts";
import { cleanUpRetired } from "./container/retired-cleanup.ts";
import { BackgroundTasks, type EngineContext, Pins } from "./context.ts";
import type {
  ContainersApi,
  EngineApi,
  EventsApi,
  ExecsApi,
  ImagesApi,
  NetworksApi,
  SystemApi,
  VolumesApi,
} from "./engine-api.ts";
import { EventLog } from "./event-log.ts";
import { EventBus } from "./events.ts";
import { ExecTable } from "./exec/exec-table.ts";
import { execsApi } from "./exec/execs.ts";
import { Images } from "./image/images.ts";
import { imagesApi } from "./image/images-api.ts";
import { LogForwarding } from "./log/log-forwarding.ts";
import { networksApi } from "./network/networks.ts";
import type { EngineOptions } from "./options.ts";
import { podMounts } from "./pod/pod-namespaces.ts";
import { removePod } from "./pod/pod-stop.ts";
import { PodStore } from "./pod/pod-store.ts";
import { openRemap, type Remap } from "./remap/remap.ts";
import { systemApi } from "./system/system.ts";
import { volumesApi } from "./volume/volumes.ts";

/**
 * The container engine of one instance. Opening it takes over what an earlier one left; disposing it lets go of
 * everything and leaves the containers running.
 */
export class Engine implements EngineApi, AsyncDisposable {
  readonly containers: ContainersApi;
  readonly execs: ExecsApi;
  readonly images: ImagesApi;
  readonly networks: NetworksApi;
  readonly volumes: VolumesApi;
  readonly events: EventsApi;
  readonly system: SystemApi;
  /** What the verbs are made of, for doors that need more than verbs: the builder. */
  readonly parts: EngineContext;
  readonly #context: EngineContext;
  readonly #owned: AsyncDisposableStack;

  private constructor(context: EngineContext, owned: AsyncDisposableStack) {
    this.#context = context;
    this.parts = context;
    this.#owned = owned;
    this.containers = containersApi(context);
    this.execs = execsApi(context);
    this.images = imagesApi(context);
    this.networks = networksApi(context);
    this.volumes = volumesApi(context);
    this.events = context.events;
    this.system = systemApi(context);
  }

  /** Opens the instance: one engine per `root` at a time (the caller sees to that). */
  static async open(options: EngineOptions): Promise<Engine> {
    await using owned = new AsyncDisposableStack();
    const start = { failed: true };
    const context = await openParts(options, owned, start);
    owned.use(
      context.runtime.onExit((id, status) =>
        context.background.run(`handling the exit of ${id}`, () => handleExit(context, id, status)),
      ),
    );
    await restoreContainers(context);
    start.failed = false;
    return new Engine(context, owned.move());
  }

  /**
   * Removes all containers, running ones too, and takes every trace of the instance out of the kernel: namespaces, links,
   * nftables tables, control groups, mounts of containers. What is asked for meanwhile is refused. Only disposing is
   * allowed afterwards; files under `root` are left to the caller.
   */
  async reset(): Promise<void> {
    const { background, network, stuckRemovals, logger } = this.#context;
    this.#context.isBeingRemoved = true;
    await this.#removeContainers();
    await background.settled();
    for (const { record, timer } of stuckRemovals.values()) {
      timer[Symbol.dispose]();
      await cleanUpRetired(this.#context, record).catch((error: unknown) =>
        logger.error("something of a container stays", { container: record.name, error }),
      );
    }
    await network.destroy();
    if (this.#context.options.confined === undefined) await removeControlGroup(this.#context.options.name);
  }

  /** One that cannot be removed keeps nothing else: its processes end with the control group. */
  async #removeContainers(): Promise<void> {
    const { containers, pods, logger } = this.#context;
    await Promise.all(
      pods.all().map(({ id }) =>
        removePod(this.#context, id).catch((error: unknown) => {
          if (pods.get(id) !== undefined) logger.error("a pod could not be removed", { pod: id, error });
        }),
      ),
    );
    await Promise.all(
      containers.all().map(({ id, name }) =>
        removeContainer(this.#context, id, { force: true, volumes: true }).catch((error: unknown) => {
          // It went by itself.
          if (containers.get(id) === undefined) return;
          logger.error("a container could not be removed", { container: name, error });
        }),
      ),
    );
  }

  /** For a program that cannot start after all: leaves no networks in the kernel that no container needs. */
  async withdraw(): Promise<void> {
    await this.#context.network.withdraw();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { background, live, stuckRemovals } = this.#context;
    for (const { health, restart } of live.values()) {
      health?.[Symbol.dispose]();
      restart?.timer[Symbol.dispose]();
    }
    await background.settled();
    for (const { timer } of stuckRemovals.values()) timer[Symbol.dispose]();
    for (const { logRotation } of live.values()) await logRotation?.[Symbol.asyncDispose]();
    await this.#owned.disposeAsync();
  }
}

async function removeControlGroup(name: string): Promise<void> {
  const group = openCgroup(`/${name}`);
  try {
    await group.delete();
  } catch (error) {
    if (!(error instanceof Conflict)) throw error;
    await group.killAll();
    await group.delete();
  }
}

async function openParts(
  options: EngineOptions,
  owned: AsyncDisposableStack,
  start: { readonly failed: boolean },
): Promise<EngineContext> {
  const { root, runDir, clock, logger } = options;
  const remap = options.remap === undefined ? undefined : await openRemap(runDir, root, options.remap);
  // None needs another, so a start waits only for the slowest. When one fails, those that were opened are let go of.
  const opened = await Promise.allSettled([
    openImages(options, owned, remap),
    ContainerStore.open(root, logger, clock).then((part) => owned.use(part)),
    VolumeStore.open({ root: join(root, "volumes"), logger }).then((part) => owned.use(part)),
    openRuntime(options).then((part) => owned.use(part)),
    openNetwork(options).then((part) => {
      owned.use(part);
      owned.defer(() => (start.failed ? part.withdraw() : undefined));
      return part;
    }),
    EventLog.open(root, logger).then((part) => owned.use(part)),
    PodStore.open(root, logger),
  ]);
  const [[snapshotter, images], containers, volumeStore, runtime, network, eventLog, pods] = allOf(opened);
  return {
    options,
    clock,
    logger,
    runtime,
    network,
    remap,
    snapshotter,
    volumeStore,
    images,
    containers,
    pods,
    waiters: new Waiters(),
    events: new EventBus(clock, eventLog),
    execs: owned.use(new ExecTable(clock)),
    locks: new KeyedMutex(),
    live: new Map(),
    pins: new Pins(),
    background: new BackgroundTasks(logger),
    stuckRemovals: new Map(),
    isBeingRemoved: false,
    logForwarding: owned.use(new LogForwarding()),
  };
}

async function openRuntime(options: EngineOptions): Promise<EngineRuntime> {
  const { root, runDir, name, runtimes, defaultRuntime, confined, logger, clock } = options;
  if (confined !== undefined) return confinedRuntime();
  return ContainerRuntime.open({
    probeDir: root,
    runDir: join(runDir, "runtime"),
    cgroupParent: `/${name}`,
    // The network's directory of namespaces makes itself a mount, too, and finds that it is one already.
    mountRoots: [join(root, "snapshots"), join(root, "volumes"), join(runDir, "network", "netns"), podMounts(runDir)],
    ...(runtimes === undefined ? {} : { moreRuntimes: pathsOf(runtimes) }),
    ...(defaultRuntime === undefined ? {} : { defaultRuntime }),
    logger,
    clock,
  });
}

async function openNetwork(options: EngineOptions): Promise<EngineNetwork> {
  const { root, runDir, name, addressPools, cni, outsidePorts, resolvConf, confined, logger, clock } = options;
  if (confined !== undefined) return confinedNetwork(resolvConf);
  return NetworkManager.open({
    root: join(root, "network"),
    runDir: join(runDir, "network"),
    name,
    ...(addressPools === undefined ? {} : { addressPools }),
    ...(cni?.configurations === undefined ? {} : { cniConfigurations: cni.configurations }),
    ...(cni?.plugins === undefined ? {} : { cniPlugins: cni.plugins }),
    // In a network namespace of our own nobody else chooses subnets.
    ...(outsidePorts === undefined ? {} : { outsidePorts, subnetLock: join(runDir, "subnets.lock") }),
    ...(resolvConf === undefined ? {} : { hostResolvConf: resolvConf }),
    logger,
    clock,
  });
}

type Settled<Values extends readonly unknown[]> = { [Index in keyof Values]: PromiseSettledResult<Values[Index]> };

/** The values, or the first failure thrown. */
function allOf<Values extends readonly unknown[]>(results: Settled<Values>): Values {
  return results.map((result) => {
    if (result.status === "rejected") throw result.reason;
    return result.value;
  }) as unknown as Values;
}

async function openImages(
  options: EngineOptions,
  owned: AsyncDisposableStack,
  remap: Remap | undefined,
): Promise<readonly [Snapshotter, Images]> {
  const { root, logger, confined, storageDriver: driver = "overlay2" } = options;
  const copies = confined !== undefined;
  const mapping = remap === undefined ? {} : { mapping: { userNamespace: remap.filesPath, root: remap.root } };
  const snapshotter = owned.use(
    await Snapshotter.open({ root: join(root, "snapshots"), logger, copies, driver, ...mapping }),
  );
  return [snapshotter, owned.use(await Images.open(options, snapshotter))];
}

function pathsOf(runtimes: Readonly<Record<string, string>>): Record<string, { path: string }> {
  return Object.fromEntries(Object.entries(runtimes).map(([name, path]) => [name, { path }]));
}
