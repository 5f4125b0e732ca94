import { readFile } from "node:fs/promises";
import { type Clock, sleep } from "@boxship/base";
import type { Cri } from "@boxship/cri";
import { LABEL } from "../labels.ts";
import { machineSeconds } from "./agent-metrics.ts";

/** What a container uses: cores, bytes. */
export interface Usage {
  readonly cpu: number;
  readonly memory: number;
}

export interface UsageSample {
  /** Milliseconds since the epoch, and how long it was looked at. */
  readonly at: number;
  readonly window: number;
  readonly node: Usage;
  /** By the uid of the pod and the container's name. */
  readonly containers: ReadonlyMap<string, ReadonlyMap<string, Usage>>;
}

/** Counters at one moment. */
interface Counters {
  readonly at: number;
  readonly node: Usage;
  /** By the container's id. */
  readonly containers: ReadonlyMap<string, Counted>;
}

interface Counted extends Usage {
  readonly uid: string;
  readonly name: string;
}

/** Older counters tell of another time. */
const OLDEST_MS = 60_000;
const LEAST_MS = 500;
const NANO = 1e9;

/** Tells what the node and its containers use; looks only when it is asked. */
export class UsageSamples {
  readonly #cri: Pick<Cri, "listContainerStats">;
  readonly #clock: Clock;
  #before: Counters | undefined;
  #sampling: Promise<UsageSample> | undefined;

  constructor(cri: Pick<Cri, "listContainerStats">, clock: Clock) {
    this.#cri = cri;
    this.#clock = clock;
  }

  /** Of the time since it was asked before, or, when that is long ago, of the next half second. */
  sample(): Promise<UsageSample> {
    this.#sampling ??= this.#sample().finally(() => {
      this.#sampling = undefined;
    });
    return this.#sampling;
  }

  async #sample(): Promise<UsageSample> {
    let before = this.#before;
    const age = this.#clock.monotonic() - (before?.at ?? Number.NEGATIVE_INFINITY);
    if (before === undefined || age > OLDEST_MS) before = await this.#count();
    const left = LEAST_MS - (this.#clock.monotonic() - before.at);
    if (left > 0) await sleep(this.#clock, left);
    const after = await this.#count();
    this.#before = after;
    return between(before, after, this.#clock.now());
  }

  async #count(): Promise<Counters> {
    const [cpuSeconds, meminfo, { stats }] = await Promise.all([
      machineSeconds(),
      readFile("/proc/meminfo", "utf8"),
      this.#cri.listContainerStats({}),
    ]);
    const kilobytes = (name: string): number => Number(new RegExp(`^${name}: +(\\d+)`, "m").exec(meminfo)?.[1] ?? 0);
    const containers = new Map<string, Counted>();
    for (const { attributes, cpu, memory } of stats) {
      containers.set(attributes?.id ?? "", {
        uid: attributes?.labels[LABEL.podUid] ?? "",
        name: attributes?.labels[LABEL.containerName] ?? "",
        cpu: (cpu?.usageCoreNanoSeconds?.value ?? 0) / NANO,
        memory: memory?.workingSetBytes?.value ?? 0,
      });
    }
    const node = {
      cpu: cpuSeconds,
      memory: (kilobytes("MemTotal") - kilobytes("MemAvailable")) * 1024,
    };
    return { at: this.#clock.monotonic(), node, containers };
  }
}

function between(before: Counters, after: Counters, now: number): UsageSample {
  const seconds = Math.max(1e-3, (after.at - before.at) / 1000);
  const rate = (was: Usage, is: Usage): Usage => ({ cpu: Math.max(0, is.cpu - was.cpu) / seconds, memory: is.memory });
  const containers = new Map<string, Map<string, Usage>>();
  for (const [id, one] of after.containers) {
    const was = before.containers.get(id);
    // Of one that has just begun nothing is known yet.
    if (was === undefined) continue;
    const pod = containers.get(one.uid) ?? new Map<string, Usage>();
    pod.set(one.name, rate(was, one));
    containers.set(one.uid, pod);
  }
  return { at: now, window: Math.round(seconds * 1000), node: rate(before.node, after.node), containers };
}
