/** What a group has used so far, in one shape for all layouts. Sizes are bytes, times nanoseconds. */
export interface CgroupStats {
  readonly cpu: CpuStats | undefined;
  readonly memory: MemoryStats | undefined;
  readonly pids: PidsStats | undefined;
  readonly io: readonly DeviceStats[] | undefined;
}

export interface CpuStats {
  readonly usage: number;
  readonly user: number;
  readonly system: number;
  /** By processor; v2 does not tell. */
  readonly perCpu: readonly number[] | undefined;
  /** Periods that passed while a quota was set, those in which it was used up, and how long it held processes back. */
  readonly periods: number;
  readonly throttledPeriods: number;
  readonly throttledTime: number;
}

export interface MemoryStats {
  /** Page cache included. */
  readonly usage: number;
  /** `Infinity` without a limit. */
  readonly limit: number;
  /** The highest usage so far; undefined where the kernel does not keep it. */
  readonly peak: number | undefined;
  readonly anonymous: number;
  readonly cache: number;
  /** The part of the cache that can go first; `usage - inactiveFile` is what users take for memory in use. */
  readonly inactiveFile: number;
  readonly swap: number | undefined;
  /** How often the limit was hit. */
  readonly failures: number;
  readonly outOfMemoryKills: number;
  /** `memory.stat` as it is, without v1's `total_` prefix. */
  readonly detail: Readonly<Record<string, number>>;
}

export interface PidsStats {
  readonly current: number;
  /** `Infinity` without a limit. */
  readonly limit: number;
}

export interface DeviceStats {
  readonly major: number;
  readonly minor: number;
  readonly readBytes: number;
  readonly writeBytes: number;
  readonly readOperations: number;
  readonly writeOperations: number;
}
