import { type Clock, type Logger, sleep } from "@boxship/base";
import type { ContainerStats, Cri } from "@boxship/cri";
import { LABEL } from "../labels.ts";
import { amount, qosClass } from "../status/qos.ts";
import { allContainers, type Pod } from "../types.ts";
import { beyondLimits, type DiskUsage, hasDiskLimits } from "./local-limits.ts";
import { CRITICAL, rankPods, type UsedPod } from "./rank-pods.ts";
import type { NodeSignals } from "./read-signals.ts";
import {
  DEFAULT_THRESHOLDS,
  type EvictionSettings,
  isTooFull,
  type PressureCondition,
  type Resource,
  type Shortage,
  shortagesOf,
  type Threshold,
} from "./thresholds.ts";

export interface NodePressureOptions {
  readonly cri: Pick<Cri, "listContainerStats">;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly read: () => Promise<NodeSignals>;
  /** Pods of the node that have not ended. */
  readonly pods: () => Iterable<Pod>;
  /** Bytes below a pod's own directory, by its path in there. */
  readonly used: (pod: Pod, path: string) => Promise<number>;
  /** Bytes of a container's logs. */
  readonly logs: (pod: Pod, container: string) => Promise<number>;
  /** There is too little of something, and it is made to be more. */
  readonly crossed: (resource: Resource) => void;
  /** Ends a pod for good, within so many seconds. */
  readonly evict: (pod: Pod, message: string, seconds: number) => void;
  /** Makes room on the disk without anybody's having to go. @returns whether there is more now */
  readonly reclaim: () => Promise<boolean>;
  /** @default {@link DEFAULT_THRESHOLDS} */
  readonly eviction?: EvictionSettings;
  /** Other conditions than before. */
  readonly changed: () => void;
}

const EVERY_MS = 10_000;
/** How long a condition stays after the last time that there was too little. */
const CALM_MS = 5 * 60_000;
const COLLECT_EVERY_MS = 5 * 60_000;

/**
 * Sees to it that the node does not run out of memory, disk or processes: what can go without harm goes first, then one pod after
 * the other. Pods that have more on the disk than their own limits go in any case.
 */
export class NodePressure {
  readonly #options: NodePressureOptions;
  /** When there was too little last. */
  readonly #seen = new Map<PressureCondition, number>();
  /** Since when thresholds are crossed without a break. */
  readonly #crossed = new Map<Threshold, number>();
  #collected = Number.NEGATIVE_INFINITY;

  constructor(options: NodePressureOptions) {
    this.#options = options;
  }

  has(condition: PressureCondition): boolean {
    return this.#seen.has(condition);
  }

  /** Why a pod is not begun while there is too little; undefined where it may be. */
  rejection({ spec, ...rest }: Pod): { readonly reason: string; readonly message: string } | undefined {
    const conditions = [...this.#seen.keys()];
    if (conditions.length === 0 || (spec.priority ?? 0) >= CRITICAL) return undefined;
    // Who asks for memory may have what it asks for, and who tolerates the taint knows.
    const isMemoryAlone = conditions.every((one) => one === "MemoryPressure");
    if (isMemoryAlone && (qosClass({ spec, ...rest }) !== "BestEffort" || toleratesMemoryPressure(spec)))
      return undefined;
    return { reason: "Evicted", message: `The node had condition: [${conditions.join(" ")}]. ` };
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.#options;
    while (!signal.aborted) {
      await this.look().catch((error: unknown) => logger.warn("what the node has left cannot be told", { error }));
      await sleep(clock, EVERY_MS, signal).catch(() => {});
    }
  }

  /** Looks once. */
  async look(): Promise<void> {
    const { read, reclaim } = this.#options;
    const signals = await read();
    let due = this.#due(signals);
    if (due[0] !== undefined) this.#options.crossed(due[0].resource);
    const isShort = due.some(({ condition }) => condition === "DiskPressure");
    if ((isShort || (isTooFull(signals) && this.#isCollectionDue())) && (await reclaim())) {
      due = this.#due(await read());
    }
    await this.#keepLimits();
    const [worst] = due;
    if (worst !== undefined) await this.#evictOne(worst);
  }

  /** Looks at what there is. @returns of what there has been too little for long enough */
  #due(signals: NodeSignals): readonly Shortage[] {
    const { clock, eviction } = this.#options;
    const crossed = this.#crossed;
    const shortages = shortagesOf(signals, eviction?.thresholds ?? DEFAULT_THRESHOLDS, new Set(crossed.keys()));
    const now = clock.monotonic();
    for (const threshold of crossed.keys()) {
      if (!shortages.some((one) => one.crossed === threshold)) crossed.delete(threshold);
    }
    for (const { crossed: threshold } of shortages) if (!crossed.has(threshold)) crossed.set(threshold, now);
    this.#note(shortages);
    return shortages.filter(({ crossed: one }) => now - (crossed.get(one) ?? now) >= (one.graceMs ?? 0));
  }

  #isCollectionDue(): boolean {
    const now = this.#options.clock.monotonic();
    if (now - this.#collected < COLLECT_EVERY_MS) return false;
    this.#collected = now;
    return true;
  }

  #note(shortages: readonly Shortage[]): void {
    const { clock, changed, eviction: { transitionMs = CALM_MS } = {} } = this.#options;
    const before = [...this.#seen.keys()].join();
    for (const { condition } of shortages) this.#seen.set(condition, clock.monotonic());
    for (const [condition, at] of this.#seen) {
      if (clock.monotonic() - at >= transitionMs && !shortages.some((one) => one.condition === condition))
        this.#seen.delete(condition);
    }
    if ([...this.#seen.keys()].join() !== before) changed();
  }

  async #evictOne({ crossed, resource, threshold, available }: Shortage): Promise<void> {
    const { evict, logger, eviction: { mostGraceSeconds = 0 } = {} } = this.#options;
    const [first] = rankPods(await this.#usages(), resource);
    if (first === undefined) {
      logger.warn("the node runs short, and there is no pod that could go", { resource, available, threshold });
      return;
    }
    const amounts = `Threshold quantity: ${quantity(threshold)}, available: ${quantity(available)}. `;
    evict(
      first.pod,
      `The node was low on resource: ${resource}. ${amounts}${larger(first, resource)}`,
      crossed.graceMs === undefined
        ? 0
        : Math.min(mostGraceSeconds, first.pod.spec.terminationGracePeriodSeconds ?? 30),
    );
  }

  async #keepLimits(): Promise<void> {
    const { pods, evict } = this.#options;
    const limited = [...pods()].filter(hasDiskLimits);
    if (limited.length === 0) return;
    const stats = await this.#stats();
    for (const pod of limited) {
      const message = beyondLimits(pod, await this.#disk(pod, stats));
      if (message !== undefined) evict(pod, message, 0);
    }
  }

  /** By the uid of their pod. */
  async #stats(): Promise<ReadonlyMap<string, readonly ContainerStats[]>> {
    const { stats } = await this.#options.cri.listContainerStats({});
    return Map.groupBy(stats, ({ attributes }) => attributes?.labels[LABEL.podUid] ?? "");
  }

  async #disk(pod: Pod, stats: ReadonlyMap<string, readonly ContainerStats[]>): Promise<DiskUsage> {
    const { used, logs } = this.#options;
    const onDisk = (pod.spec.volumes ?? []).filter(
      ({ emptyDir }) => emptyDir !== undefined && emptyDir.medium !== "Memory",
    );
    const volumes = new Map<string, number>();
    for (const { name } of onDisk) volumes.set(name, await used(pod, `volumes/${name}`));
    const written = new Map<string, number>();
    for (const { attributes, writableLayer } of stats.get(pod.metadata.uid ?? "") ?? []) {
      written.set(attributes?.labels[LABEL.containerName] ?? "", writableLayer?.usedBytes?.value ?? 0);
    }
    const containers = new Map<string, number>();
    for (const { name } of allContainers(pod)) containers.set(name, (written.get(name) ?? 0) + (await logs(pod, name)));
    return { volumes, containers };
  }

  async #usages(): Promise<readonly UsedPod[]> {
    const stats = await this.#stats();
    const usages: UsedPod[] = [];
    for (const pod of this.#options.pods()) {
      const own = stats.get(pod.metadata.uid ?? "") ?? [];
      const { volumes, containers } = await this.#disk(pod, stats);
      const sum = (values: Iterable<number>): number => [...values].reduce((total, one) => total + one, 0);
      const memory = new Map(
        own.map((one) => [one.attributes?.labels[LABEL.containerName] ?? "", one.memory?.workingSetBytes?.value ?? 0]),
      );
      usages.push({
        pod,
        containers: { memory, "ephemeral-storage": containers },
        usage: {
          memory: sum(memory.values()),
          "ephemeral-storage": sum(volumes.values()) + sum(containers.values()),
          inodes: sum(own.map(({ writableLayer }) => writableLayer?.inodesUsed?.value ?? 0)),
          pids: own.length,
        },
      });
    }
    return usages;
  }
}

function toleratesMemoryPressure({ tolerations = [] }: Pod["spec"]): boolean {
  return (tolerations as readonly { key?: string; operator?: string; effect?: string; value?: string }[]).some(
    ({ key = "", operator = "Equal", effect = "", value = "" }) =>
      (effect === "" || effect === "NoSchedule") &&
      ((operator === "Exists" && (key === "" || key === "node.kubernetes.io/memory-pressure")) ||
        (operator === "Equal" && key === "node.kubernetes.io/memory-pressure" && value === "")),
  );
}

/** Which containers have more than they asked for, in the kubelet's words. */
function larger({ pod, containers }: UsedPod, resource: Resource): string {
  if (resource !== "memory" && resource !== "ephemeral-storage") return "";
  const words = allContainers(pod).map(({ name, resources = {} }) => {
    const used = containers[resource].get(name);
    const asked = resources.requests?.[resource];
    if (used === undefined || used <= amount(asked)) return "";
    const than = `request is ${asked ?? "0"}, has larger consumption of ${resource}. `;
    return `Container ${name} was using ${quantity(used)}, ${than}`;
  });
  return words.join("");
}

const SUFFIXES = ["", "Ki", "Mi", "Gi", "Ti", "Pi"];

/** As quantities are written: by the largest unit that it is a whole number of. */
function quantity(value: number): string {
  let rest = Math.floor(value);
  let unit = 0;
  for (; rest !== 0 && rest % 1024 === 0 && unit < SUFFIXES.length - 1; unit++) rest /= 1024;
  return `${rest}${SUFFIXES[unit]}`;
}
