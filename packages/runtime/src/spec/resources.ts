import { statSync } from "node:fs";
import { InvalidArgument, systemCode } from "@boxship/base";
import { deviceNumbers } from "./devices.ts";
import type { HostFacts } from "./host.ts";
import type { OciDeviceRule, OciResources, OciThrottleDevice } from "./oci.ts";
import type { BlockDeviceRate, ResourceRequest } from "./request.ts";
import { validateResources } from "./resources-validate.ts";

const CPU_PERIOD = 100_000;

/**
 * Limits in the specification's form. What this host's cgroups cannot enforce is left out with a warning, as Docker
 * does it; without root it is refused. Also the argument of {@link ContainerRuntimeApi.update}.
 *
 * @throws InvalidArgument a value out of range, or values that exclude each other
 */
export function resolveResources(
  request: ResourceRequest,
  host: HostFacts,
  devices?: readonly OciDeviceRule[],
): { readonly resources: OciResources; readonly warnings: readonly string[] } {
  validateResources(request, host);
  const warnings: string[] = [];
  const able = (wanted: boolean, possible: boolean, what: string, consequence: string): boolean => {
    if (wanted && !possible) {
      warnings.push(`your kernel does not support ${what} or the cgroup is not mounted. ${consequence}`);
    }
    return wanted && possible;
  };
  const memory = memoryResources(request, host, able);
  const cpu = cpuResources(request, host, able);
  const blockIO = blockResources(request, host, able);
  const pids = request.pids ?? 0;
  const limitsPids = able(pids > 0, host.cgroup.controllers.has("pids"), "pids limit", "PIDs limit discarded.");
  able(
    (request.deviceCgroupRules ?? []).length > 0,
    !host.userNamespace,
    "rules of the device cgroup",
    "Rules discarded.",
  );
  const hugepages = request.hugepages ?? [];
  const limitsHuge = able(
    hugepages.length > 0,
    host.cgroup.controllers.has("hugetlb"),
    "hugepage limits",
    "Limits discarded.",
  );
  return {
    resources: {
      ...(devices === undefined ? {} : { devices }),
      ...(isEmpty(memory) ? {} : { memory }),
      ...(isEmpty(cpu) ? {} : { cpu }),
      ...(isEmpty(blockIO) ? {} : { blockIO }),
      ...(limitsPids ? { pids: { limit: pids } } : pids < 0 ? { pids: { limit: -1 } } : {}),
      ...(limitsHuge ? { hugepageLimits: hugepages } : {}),
    },
    warnings,
  };
}

type Able = (wanted: boolean, possible: boolean, what: string, consequence: string) => boolean;

function isEmpty(value: object): boolean {
  return Object.keys(value).length === 0;
}

function memoryResources(request: ResourceRequest, host: HostFacts, able: Able): NonNullable<OciResources["memory"]> {
  const { memory = 0, memoryReservation = 0, memorySwappiness: swappiness = -1 } = request;
  const supported = host.cgroup.controllers.has("memory");
  const limits = able(memory > 0, supported, "memory limit capabilities", "Limitation discarded.");
  const swap = request.memorySwap ?? 0;
  const wanted = swap !== 0 ? swap : memory > 0 ? twice(memory) : 0;
  const counted = supported && host.cgroup.swap;
  // Twice the limit is only a default, and no limit holds anyway: where swap is not counted neither needs words.
  const swaps =
    swap === 0
      ? limits && counted
      : able(swap !== -1 || counted, counted, "swap limit capabilities", "Memory limited without swap.");
  const reserves = able(memoryReservation > 0, supported, "memory soft limit capabilities", "Limitation discarded.");
  const swappable = able(
    swappiness !== -1,
    host.cgroup.swappiness,
    "memory swappiness capabilities",
    "Memory swappiness discarded.",
  );
  const keeps = able(
    request.oomKillDisable === true,
    host.cgroup.oomKillDisable,
    "OomKillDisable",
    "OomKillDisable discarded.",
  );
  return {
    ...(limits ? { limit: memory } : {}),
    ...(swaps && wanted !== 0 ? { swap: wanted } : {}),
    ...(reserves ? { reservation: memoryReservation } : {}),
    ...(swappable ? { swappiness } : {}),
    ...(keeps ? { disableOOMKiller: true } : {}),
  };
}

/** Docker's default for memory and swap together; -1 where a number of the kernel ends. */
function twice(memory: number): number {
  return memory * 2 < 2 ** 63 ? memory * 2 : -1;
}

function cpuResources(request: ResourceRequest, host: HostFacts, able: Able): NonNullable<OciResources["cpu"]> {
  const { nanoCpus = 0, cpuShares = 0, cpusetCpus = "", cpusetMems = "" } = request;
  // Any negative quota is none, but crun takes only one of them.
  const quota = nanoCpus > 0 ? Math.round((nanoCpus * CPU_PERIOD) / 1e9) : Math.max(-1, request.cpuQuota ?? 0);
  const period = nanoCpus > 0 ? CPU_PERIOD : (request.cpuPeriod ?? 0);
  const cpu = host.cgroup.controllers.has("cpu");
  const sets = host.cgroup.controllers.has("cpuset");
  const realtime = (request.cpuRealtimePeriod ?? 0) !== 0 || (request.cpuRealtimeRuntime ?? 0) !== 0;
  if (realtime && !host.cgroup.cpuRealtime) {
    throw new InvalidArgument("kernel does not support CPU real-time scheduler");
  }
  return {
    ...(able(cpuShares > 0, cpu, "CPU shares", "Shares discarded.") ? { shares: cpuShares } : {}),
    ...(able(quota !== 0, cpu, "CPU CFS quota", "Quota discarded.") ? { quota } : {}),
    ...(able(period !== 0, cpu, "CPU CFS period", "Period discarded.") ? { period } : {}),
    ...(able(cpusetCpus !== "", sets, "cpuset", "CPUset discarded.") ? { cpus: cpusetCpus } : {}),
    ...(able(cpusetMems !== "", sets, "cpuset", "CPUset discarded.") ? { mems: cpusetMems } : {}),
    ...(request.cpuRealtimePeriod ? { realtimePeriod: request.cpuRealtimePeriod } : {}),
    ...(request.cpuRealtimeRuntime ? { realtimeRuntime: request.cpuRealtimeRuntime } : {}),
  };
}

function blockResources(request: ResourceRequest, host: HostFacts, able: Able): NonNullable<OciResources["blockIO"]> {
  const { blkioWeight = 0, blkioWeightDevices = [] } = request;
  const weighs = able(
    blkioWeight > 0 || blkioWeightDevices.length > 0,
    host.cgroup.blkioWeight,
    "Block I/O weight",
    "Weight discarded.",
  );
  const throttles = (rates: readonly BlockDeviceRate[] = []): readonly OciThrottleDevice[] => {
    const possible = able(
      rates.length > 0,
      host.cgroup.controllers.has("blkio"),
      "Block I/O limits",
      "Limits discarded.",
    );
    return possible ? rates.map(({ path, rate }) => ({ ...blockDevice(path), rate })) : [];
  };
  const some = (name: keyof NonNullable<OciResources["blockIO"]>, list: readonly OciThrottleDevice[]) =>
    list.length === 0 ? {} : { [name]: list };
  return {
    ...(weighs && blkioWeight > 0 ? { weight: blkioWeight } : {}),
    ...(weighs && blkioWeightDevices.length > 0
      ? { weightDevice: blkioWeightDevices.map(({ path, weight }) => ({ ...blockDevice(path), weight })) }
      : {}),
    ...some("throttleReadBpsDevice", throttles(request.blkioReadBps)),
    ...some("throttleWriteBpsDevice", throttles(request.blkioWriteBps)),
    ...some("throttleReadIOPSDevice", throttles(request.blkioReadIops)),
    ...some("throttleWriteIOPSDevice", throttles(request.blkioWriteIops)),
  };
}

function blockDevice(path: string): { readonly major: number; readonly minor: number } {
  try {
    const stats = statSync(path);
    if (stats.isBlockDevice()) return deviceNumbers(stats.rdev);
  } catch (error) {
    throw new InvalidArgument(`block device ${path}: ${systemCode(error) ?? "cannot be read"}`, { cause: error });
  }
  throw new InvalidArgument(`block device ${path}: not a block device`);
}
