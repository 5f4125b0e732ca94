import type { EngineApi } from "@boxship/engine";

/** Facts of this host that complete what a user left out. They do not change while the daemon runs. */
export interface HostDefaults {
  readonly runtime: string;
  readonly cgroupnsMode: "private" | "host";
  /** Control groups of version 2 have no such switch: null. */
  readonly oomKillDisable: false | null;
}

/** Asks the engine once; the server keeps the answer. */
export async function hostDefaults(engine: EngineApi): Promise<HostDefaults> {
  const { defaultRuntime, cgroupVersion } = await engine.system.info();
  const modern = cgroupVersion === 2;
  return {
    runtime: defaultRuntime,
    cgroupnsMode: modern ? "private" : "host",
    oomKillDisable: modern ? null : false,
  };
}

/** What Docker masks inside `/proc` and `/sys` unless it is told otherwise. */
export const DEFAULT_MASKED_PATHS: readonly string[] = [
  "/proc/asound",
  "/proc/acpi",
  "/proc/interrupts",
  "/proc/kcore",
  "/proc/keys",
  "/proc/latency_stats",
  "/proc/timer_list",
  "/proc/timer_stats",
  "/proc/sched_debug",
  "/proc/scsi",
  "/sys/firmware",
  "/sys/devices/virtual/powercap",
];

export const DEFAULT_READONLY_PATHS: readonly string[] = [
  "/proc/bus",
  "/proc/fs",
  "/proc/irq",
  "/proc/sys",
  "/proc/sysrq-trigger",
];
