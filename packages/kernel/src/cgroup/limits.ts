import { InvalidArgument } from "@boxship/base";

/** Limits of a group. Undefined leaves a setting as it is; `Infinity` removes a limit. */
export interface CgroupLimits {
  readonly memory?: MemoryLimits;
  readonly cpu?: CpuLimits;
  /** Most processes and threads. */
  readonly pids?: number;
  readonly io?: IoLimits;
}

export interface MemoryLimits {
  /** Bytes. */
  readonly limit?: number;
  /** Bytes that are kept when the host runs short. */
  readonly reservation?: number;
  /** Memory and swap together, in bytes, as OCI's `memory.swap`: equal to `limit` means no swap. */
  readonly memoryAndSwap?: number;
  /** 0 to 100. v1 only. */
  readonly swappiness?: number;
}

export interface CpuLimits {
  /** Relative weight in v1's units, 2 to 262144; 1024 is usual. */
  readonly shares?: number;
  /** Microseconds of CPU time in each period. */
  readonly quota?: number;
  /** Microseconds, 1000 to 1000000. */
  readonly period?: number;
  /** A list such as `0-2,7`. */
  readonly cpus?: string;
  /** NUMA nodes, a list such as `0`. */
  readonly mems?: string;
}

export interface IoLimits {
  /** Relative weight in v1's units, 10 to 1000; 500 is usual. */
  readonly weight?: number;
  /** Bytes or operations in a second, per device. */
  readonly readBytes?: readonly DeviceRate[];
  readonly writeBytes?: readonly DeviceRate[];
  readonly readOperations?: readonly DeviceRate[];
  readonly writeOperations?: readonly DeviceRate[];
}

export interface DeviceRate {
  readonly major: number;
  readonly minor: number;
  readonly rate: number;
}

function within(value: number | undefined, low: number, high: number, what: string): void {
  if (value === undefined || value === Infinity) return;
  if (!Number.isFinite(value) || value < low || value > high) {
    throw new InvalidArgument(`${what} ${value} is not between ${low} and ${high}`);
  }
}

const LIST = /^\d+(-\d+)?(,\d+(-\d+)?)*$/;

function list(value: string | undefined, what: string): void {
  if (value !== undefined && !LIST.test(value)) {
    throw new InvalidArgument(`${what} ${JSON.stringify(value)} is not a list of numbers`, {
      remedy: "write it like 0-2,7",
    });
  }
}

/** Throws InvalidArgument for values that no kernel takes. */
export function validateLimits({ memory = {}, cpu = {}, pids, io = {} }: CgroupLimits): void {
  within(memory.limit, 0, Number.MAX_SAFE_INTEGER, "memory limit");
  within(memory.reservation, 0, Number.MAX_SAFE_INTEGER, "memory reservation");
  within(memory.memoryAndSwap, 0, Number.MAX_SAFE_INTEGER, "memory and swap limit");
  within(memory.swappiness, 0, 100, "swappiness");
  within(cpu.shares, 2, 262_144, "CPU shares");
  within(cpu.quota, 1000, Number.MAX_SAFE_INTEGER, "CPU quota");
  within(cpu.period, 1000, 1_000_000, "CPU period");
  within(pids, 1, 2 ** 31, "process limit");
  within(io.weight, 10, 1000, "block I/O weight");
  list(cpu.cpus, "CPU list");
  list(cpu.mems, "memory node list");
  if (memory.limit !== undefined && memory.memoryAndSwap !== undefined && memory.memoryAndSwap < memory.limit) {
    throw new InvalidArgument(
      `memory and swap limit ${memory.memoryAndSwap} is less than the memory limit ${memory.limit}`,
    );
  }
}

/** v2's `cpu.weight` (1 to 10000) for v1's shares (2 to 262144), as OCI runtimes convert. */
export function weightOfShares(shares: number): number {
  return 1 + Math.floor(((shares - 2) * 9999) / 262_142);
}

/** v2's `io.weight` (1 to 10000) for v1's weight (10 to 1000), as OCI runtimes convert. */
export function ioWeightOf(weight: number): number {
  return 1 + Math.floor(((weight - 10) * 9999) / 990);
}
