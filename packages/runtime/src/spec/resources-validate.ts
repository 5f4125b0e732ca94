import { InvalidArgument, Unsupported } from "@boxship/base";
import type { ResourceRequest } from "./request.ts";

const LEAST_MEMORY = 6 * 1024 * 1024;
/** The kernel's PID_MAX_LIMIT. */
const MOST_PROCESSES = 4_194_304;
/** `cpu.cfs_quota_us` and `cpu.max`: 44 bits of microseconds. */
const LONGEST_QUOTA = 2 ** 44 - 1;
const MOST_CPUS = 8192;

/** What of a host limits what may be asked for. */
export interface HostLimits {
  readonly cpus: number;
  /** Its memory nodes, a list such as `0-1`. */
  readonly memoryNodes: string;
}

/**
 * Refuses limits that contradict each other or are out of range, in Docker's words.
 *
 */
export function validateResources(request: ResourceRequest, host: HostLimits): void {
  validateMemory(request);
  validateCpu(request, host.cpus);
  validateRealtime(request);
  validateSets(request, host);
  const { pids = 0 } = request;
  if (pids > MOST_PROCESSES) {
    refuse(
      `invalid pids limit ${pids}: Linux has at most ${MOST_PROCESSES} processes`,
      "leave it out, or give -1, for no limit",
    );
  }
  const { blkioWeight = 0 } = request;
  if (blkioWeight !== 0 && (blkioWeight < 10 || blkioWeight > 1000)) refuse("range of blkio weight is from 10 to 1000");
  for (const { path, weight } of request.blkioWeightDevices ?? []) {
    if (weight < 10 || weight > 1000) refuse(`range of blkio weight for ${path} is from 10 to 1000`);
  }
}

function refuse(message: string, remedy?: string): never {
  throw new InvalidArgument(message, remedy === undefined ? {} : { remedy });
}

function validateMemory(request: ResourceRequest): void {
  const { memory = 0, memorySwap = 0, memoryReservation = 0, memorySwappiness = -1 } = request;
  if (memory < 0 || (memory !== 0 && memory < LEAST_MEMORY)) refuse("minimum memory limit allowed is 6MB");
  if (memorySwap > 0 && memory === 0) {
    refuse("you should always set the Memory limit when using Memoryswap limit, see usage");
  }
  if (memory > 0 && memorySwap > 0 && memorySwap < memory) {
    refuse("minimum memoryswap limit should be larger than memory limit, see usage");
  }
  if (memorySwap < -1) refuse(`invalid memory swap value: ${memorySwap}`);
  if (memorySwappiness !== -1 && (memorySwappiness < 0 || memorySwappiness > 100)) {
    refuse(`invalid value: ${memorySwappiness}, valid memory swappiness range is 0-100`);
  }
  if (memoryReservation < 0 || (memoryReservation !== 0 && memoryReservation < LEAST_MEMORY)) {
    refuse("minimum memory reservation allowed is 6MB");
  }
  if (memory > 0 && memoryReservation > 0 && memory < memoryReservation) {
    refuse("minimum memory limit can not be less than memory reservation limit, see usage");
  }
}

function validateCpu(request: ResourceRequest, cpus: number): void {
  const { nanoCpus = 0, cpuPeriod = 0, cpuQuota = 0, cpuShares = 0 } = request;
  if (nanoCpus > 0 && cpuPeriod > 0) refuse("conflicting options: Nano CPUs and CPU Period cannot both be set");
  if (nanoCpus > 0 && cpuQuota > 0) refuse("conflicting options: Nano CPUs and CPU Quota cannot both be set");
  if (nanoCpus < 0 || nanoCpus > cpus * 1e9 || (nanoCpus !== 0 && nanoCpus < 1e7)) {
    refuse(`range of CPUs is from 0.01 to ${cpus}.00, as there are only ${cpus} CPUs available`);
  }
  if (cpuShares < 0) refuse(`invalid CPU shares (${cpuShares}): value must be a positive integer`);
  if (cpuPeriod !== 0 && (cpuPeriod < 1000 || cpuPeriod > 1_000_000)) {
    refuse("CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)");
  }
  if (cpuShares === 1) refuse("invalid CPU shares (1): the minimum allowed cpu-shares is 2");
  if (cpuShares > 262_144) refuse(`invalid CPU shares (${cpuShares}): the maximum allowed cpu-shares is 262144`);
  if (cpuQuota > 0 && cpuQuota < 1000) refuse("CPU cfs quota can not be less than 1ms (i.e. 1000)");
  if (cpuQuota > LONGEST_QUOTA) {
    refuse(`CPU cfs quota can not be larger than ${LONGEST_QUOTA} (microseconds)`, "give -1 for no limit");
  }
}

function validateRealtime({ cpuRealtimePeriod: period = 0, cpuRealtimeRuntime: runtime = 0 }: ResourceRequest): void {
  if (period < 0 || runtime < 0) refuse("CPU real-time period and runtime can not be negative");
  if (period !== 0 && runtime > period) refuse("cpu real-time runtime cannot be higher than cpu real-time period");
  if (runtime === 0) return;
  throw new Unsupported("CPU real-time runtime is not supported: the engine's control group has none to hand on", {
    subject: { kind: "option", name: "--cpu-rt-runtime" },
  });
}

function validateSets({ cpusetCpus = "", cpusetMems = "" }: ResourceRequest, host: HostLimits): void {
  const cpus = parseSet(cpusetCpus, "cpuset cpus");
  if (cpus.some(([, last]) => last >= host.cpus)) {
    refuse(`requested CPUs are not available - requested ${cpusetCpus}, available: 0-${host.cpus - 1}`);
  }
  const nodes = parseSet(host.memoryNodes, "memory nodes");
  const isThere = (node: number) => nodes.some(([first, last]) => first <= node && node <= last);
  for (const [first, last] of parseSet(cpusetMems, "cpuset mems")) {
    for (let node = first; node <= last; node++) {
      if (isThere(node)) continue;
      refuse(`requested memory nodes are not available - requested ${cpusetMems}, available: ${host.memoryNodes}`);
    }
  }
}

/** A list such as `0-2,7` as ranges. */
function parseSet(list: string, what: string): readonly (readonly [first: number, last: number])[] {
  if (list === "") return [];
  return list.split(",").map((range) => {
    const [, from, to = from] = /^(\d+)(?:-(\d+))?$/.exec(range) ?? [];
    const [first, last] = [Number(from), Number(to)];
    if (from === undefined || first > last) refuse(`invalid value ${list} for ${what}: invalid format: ${list}`);
    if (last > MOST_CPUS) refuse(`invalid value ${list} for ${what}: value out of range, maximum is ${MOST_CPUS}`);
    return [first, last];
  });
}
