import type { ContainerRecord, Engine, ContainerStats as EngineStats } from "@boxship/engine";
import { containersOf, isAlive } from "@boxship/engine";
import type { Init } from "@boxship/grpc";
import { ofPod, podContainers } from "./containers.ts";
import type { CriHandlers } from "./contract.ts";
import { containerDoor, nanoseconds, podDoor } from "./door-data.ts";
import type { ContainerStats, NetworkUsage, PodSandboxStats } from "./messages/status.ts";
import { hasLabels } from "./sandboxes.ts";

type StatsHandlers = Pick<
  CriHandlers,
  "containerStats" | "listContainerStats" | "podSandboxStats" | "listPodSandboxStats"
>;

/** What containers and pods use, at this moment. */
export function statsHandlers(engine: Engine): StatsHandlers {
  const { parts } = engine;
  const ofPodId = async (id: string): Promise<Init<PodSandboxStats>> => {
    const pod = parts.pods.resolve(id);
    const { config } = podDoor(pod);
    const { metadata, labels, annotations } = config;
    const running = containersOf(parts, pod.id).filter(({ state }) => isAlive(state));
    const read = await Promise.all(running.map((record) => readStats(engine, record)));
    const containers = read.map(({ told }) => told);
    const timestamp = nanoseconds(parts.clock.now());
    const processes = read.reduce((total, { stats }) => total + stats.pids.current, 0);
    // In the machine's network, its traffic is not the pod's.
    const [first] = pod.request.network === "host" ? [] : read;
    return {
      attributes: { id: pod.id, metadata, labels, annotations },
      linux: {
        ...sum(containers),
        ...(first === undefined ? {} : { network: networkOf(first.stats, timestamp) }),
        process: { timestamp, processCount: { value: processes } },
        containers,
      },
    };
  };
  return {
    containerStats: async ({ containerId }) => ({ stats: await statsOf(engine, ofPod(engine, containerId)) }),
    async listContainerStats({ filter }) {
      const wanted = podContainers(engine).filter(
        (record) =>
          isAlive(record.state) &&
          (filter === undefined ||
            (record.id.startsWith(filter.id) &&
              record.hostConfig.pod?.startsWith(filter.podSandboxId) === true &&
              hasLabels(containerDoor(record).config.labels, filter.labelSelector))),
      );
      return { stats: await Promise.all(wanted.map((record) => statsOf(engine, record))) };
    },
    podSandboxStats: async ({ podSandboxId }) => ({ stats: await ofPodId(podSandboxId) }),
    async listPodSandboxStats({ filter }) {
      const pods = parts.pods
        .all()
        .filter(
          (pod) =>
            pod.state === "ready" &&
            (filter === undefined ||
              (pod.id.startsWith(filter.id) && hasLabels(podDoor(pod).config.labels, filter.labelSelector))),
        );
      return { stats: await Promise.all(pods.map(({ id }) => ofPodId(id))) };
    },
  };
}

/** All containers of a pod are in one network: any of them tells. */
function networkOf({ networks }: EngineStats, timestamp: bigint): Init<NetworkUsage> {
  const interfaces = Object.entries(networks).map(([name, counters]) => ({
    name,
    rxBytes: { value: counters.rxBytes },
    rxErrors: { value: counters.rxErrors },
    txBytes: { value: counters.txBytes },
    txErrors: { value: counters.txErrors },
  }));
  const [defaultInterface] = interfaces;
  return { timestamp, ...(defaultInterface === undefined ? {} : { defaultInterface }), interfaces };
}

async function statsOf(engine: Engine, record: ContainerRecord): Promise<Init<ContainerStats>> {
  return (await readStats(engine, record)).told;
}

/** What a running container uses, as the CRI tells it and as the engine does. */
export async function readStats(
  engine: Engine,
  record: ContainerRecord,
): Promise<{ readonly told: Init<ContainerStats>; readonly stats: EngineStats }> {
  const { metadata, labels, annotations } = containerDoor(record).config;
  const timestamp = nanoseconds(engine.parts.clock.now());
  const [stats, { size }] = await Promise.all([
    engine.containers.stats(record.id),
    engine.containers.get(record.id, { size: true }),
  ]);
  const { usage, limit, detail } = stats.memory;
  const inactive = detail["total_inactive_file"] ?? detail["inactive_file"] ?? 0;
  const workingSet = Math.max(0, usage - inactive);
  const told: Init<ContainerStats> = {
    attributes: { id: record.id, metadata, labels, annotations },
    cpu: { timestamp, usageCoreNanoSeconds: { value: stats.cpu.usage } },
    memory: {
      timestamp,
      workingSetBytes: { value: workingSet },
      usageBytes: { value: usage },
      rssBytes: { value: detail["total_rss"] ?? detail["rss"] ?? detail["anon"] ?? 0 },
      pageFaults: { value: detail["total_pgfault"] ?? detail["pgfault"] ?? 0 },
      majorPageFaults: { value: detail["total_pgmajfault"] ?? detail["pgmajfault"] ?? 0 },
      ...(limit > 0 && limit < Number.MAX_SAFE_INTEGER
        ? { availableBytes: { value: Math.max(0, limit - workingSet) } }
        : {}),
    },
    writableLayer: {
      timestamp,
      fsId: { mountpoint: engine.parts.options.root },
      usedBytes: { value: size?.writable ?? 0 },
    },
  };
  return { told, stats };
}

/** Containers of a pod together. */
function sum(containers: readonly Init<ContainerStats>[]): Init<Pick<ContainerStats, "cpu" | "memory">> {
  const timestamp = containers[0]?.cpu?.timestamp ?? 0n;
  const total = (pick: (stats: Init<ContainerStats>) => number | undefined) => ({
    value: containers.reduce((all, one) => all + (pick(one) ?? 0), 0),
  });
  return {
    cpu: { timestamp, usageCoreNanoSeconds: total(({ cpu }) => cpu?.usageCoreNanoSeconds?.value) },
    memory: {
      timestamp,
      workingSetBytes: total(({ memory }) => memory?.workingSetBytes?.value),
      usageBytes: total(({ memory }) => memory?.usageBytes?.value),
      rssBytes: total(({ memory }) => memory?.rssBytes?.value),
    },
  };
}
