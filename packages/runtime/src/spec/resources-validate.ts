import { InvalidArgument } from "@boxship/base";
import type { ResourceRequest } from "./request.ts";

const LEAST_MEMORY = 6 * 1024 * 1024;

/**
 * Refuses limits that contradict each other or are out of range, in Docker's words.
 *
 * @param cpus how many CPUs the host has
 */
export function validateResources(request: ResourceRequest, cpus: number): void {
  validateMemory(request);
  validateCpu(request, cpus);
  const { blkioWeight = 0 } = request;
  if (blkioWeight !== 0 && (blkioWeight < 10 || blkioWeight > 1000)) refuse("range of blkio weight is from 10 to 1000");
  for (const { path, weight } of request.blkioWeightDevices ?? []) {
    if (weight < 10 || weight > 1000) refuse(`range of blkio weight for ${path} is from 10 to 1000`);
  }
}

function refuse(message: string): never {
  throw new InvalidArgument(message);
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
  if (cpuQuota > 0 && cpuQuota < 1000) refuse("CPU cfs quota can not be less than 1ms (i.e. 1000)");
  for (const [what, list] of [
    ["CPUs", request.cpusetCpus],
    ["memory nodes", request.cpusetMems],
  ] as const) {
    if (list !== undefined && list !== "" && !/^\d+(-\d+)?(,\d+(-\d+)?)*$/.test(list)) {
      refuse(`invalid value ${list} for cpuset ${what}`);
    }
  }
  for (const range of (request.cpusetCpus ?? "").split(",")) {
    if (Number(range.split("-").at(-1) ?? 0) >= Math.max(cpus, 1) && range !== "") {
      refuse(`requested CPUs are not available - requested ${request.cpusetCpus}, available: 0-${cpus - 1}`);
    }
  }
}
