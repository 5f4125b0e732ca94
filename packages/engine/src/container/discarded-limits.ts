import type { HostFacts } from "@boxship/runtime";
import type { Resources } from "./config.ts";

/**
 * Limits as Docker keeps them: those that the host cannot enforce, of which the client is warned, are not shown as if they
 * held.
 */
export function withoutDiscarded(resources: Resources, { cgroup }: Pick<HostFacts, "cgroup">): Resources {
  const { controllers } = cgroup;
  const discarded: readonly (readonly [kept: boolean, ...names: (keyof Resources)[]])[] = [
    [controllers.has("memory"), "memory", "memoryReservation"],
    [cgroup.swappiness, "memorySwappiness"],
    [cgroup.oomKillDisable, "oomKillDisable"],
    [controllers.has("pids"), "pidsLimit"],
    [controllers.has("cpu"), "cpuShares", "cpuPeriod", "cpuQuota", "nanoCpus"],
    [controllers.has("cpuset"), "cpusetCpus", "cpusetMems"],
    [cgroup.blkioWeight, "blkioWeight", "blkioWeightDevice"],
    [
      controllers.has("blkio"),
      "blkioDeviceReadBps",
      "blkioDeviceWriteBps",
      "blkioDeviceReadIops",
      "blkioDeviceWriteIops",
    ],
  ];
  const names = new Set<string>(discarded.flatMap(([kept, ...all]) => (kept ? [] : all)));
  const left = Object.fromEntries(Object.entries(resources).filter(([name]) => !names.has(name)));
  const unlimited = (resources.memory ?? 0) > 0 && !(controllers.has("memory") && cgroup.swap);
  return { ...left, ...(unlimited ? { memorySwap: -1 } : {}) };
}
