import { InvalidArgument, parseDuration } from "@boxship/base";
import { CRITICAL } from "../pressure/rank-pods.ts";
import type { Pod } from "../types.ts";

/** Pods of this priority and more, up to the next period's, have so long to end; those below the first one have the first one's. */
export interface ShutdownPeriod {
  readonly priority: number;
  readonly seconds: number;
}

/** By the kubelet's names; empty or absent is not given. */
export interface ShutdownFlags {
  /** A duration. */
  readonly "shutdown-grace-period"?: string | undefined;
  /** A duration: what critical pods have of it, at its end. */
  readonly "shutdown-grace-period-critical-pods"?: string | undefined;
  /** `priority=seconds,…`, in place of both. */
  readonly "shutdown-grace-period-by-pod-priority"?: string | undefined;
}

/** @returns by rising priority, none where pods end with their machine @throws InvalidArgument naming the flag, in the kubelet's words */
export function parseShutdown(flags: ShutdownFlags): readonly ShutdownPeriod[] {
  const [all, critical] = [
    duration(flags, "shutdown-grace-period"),
    duration(flags, "shutdown-grace-period-critical-pods"),
  ];
  const byPriority = flags["shutdown-grace-period-by-pod-priority"] ?? "";
  if (byPriority !== "") {
    if (all > 0 || critical > 0) {
      refuse("shutdown-grace-period-by-pod-priority", "cannot be given with --shutdown-grace-period");
    }
    return parsePriorities(byPriority);
  }
  if (critical > all) {
    const of = `shutdownGracePeriodCriticalPods ${critical}s must be <= shutdownGracePeriod ${all}s`;
    refuse("shutdown-grace-period-critical-pods", of);
  }
  if (all === 0) return [];
  return [
    { priority: 0, seconds: Math.floor(all - critical) },
    { priority: CRITICAL, seconds: Math.floor(critical) },
  ];
}

function refuse(flag: keyof ShutdownFlags, why: string): never {
  throw new InvalidArgument(`--${flag}: ${why}`, { subject: { kind: "option", name: `--${flag}` } });
}

/** Seconds. */
function duration(flags: ShutdownFlags, flag: "shutdown-grace-period" | "shutdown-grace-period-critical-pods"): number {
  const text = flags[flag] ?? "";
  if (text === "") return 0;
  let seconds: number;
  try {
    seconds = parseDuration(text) / 1e9;
  } catch (error) {
    if (!(error instanceof InvalidArgument)) throw error;
    return refuse(flag, error.message);
  }
  if (seconds !== 0 && !(seconds >= 1)) refuse(flag, `${text} must be either zero or otherwise >= 1 sec`);
  return seconds;
}

function parsePriorities(text: string): readonly ShutdownPeriod[] {
  const flag = "shutdown-grace-period-by-pod-priority";
  const periods = text.split(",").map((pair): ShutdownPeriod => {
    const [, priority, seconds] = /^\s*([+-]?\d+)\s*=\s*(\d+)\s*$/.exec(pair) ?? [];
    if (priority === undefined || Math.abs(Number(priority)) >= 2 ** 31 || Number(seconds) > 2 ** 31) {
      return refuse(flag, `${JSON.stringify(pair)} is not priority=seconds`);
    }
    return { priority: Number(priority), seconds: Number(seconds) };
  });
  periods.sort((a, b) => a.priority - b.priority);
  const twice = periods.find(({ priority }, at) => periods[at + 1]?.priority === priority);
  if (twice !== undefined) refuse(flag, `priority ${twice.priority} is there twice`);
  return periods;
}

/** What all of them take, one after the other: seconds. */
export function wholePeriod(periods: readonly ShutdownPeriod[]): number {
  return periods.reduce((sum, { seconds }) => sum + seconds, 0);
}

/** Who ends with whom, in order; periods that nobody is in are left out. */
export function groupPods(
  periods: readonly ShutdownPeriod[],
  pods: Iterable<Pod>,
): readonly { readonly seconds: number; readonly pods: readonly Pod[] }[] {
  const groups = periods.map(({ seconds }) => ({ seconds, pods: [] as Pod[] }));
  for (const pod of pods) {
    const { priority = 0 } = pod.spec;
    const at = periods.findLastIndex((one) => one.priority <= priority);
    groups[Math.max(0, at)]?.pods.push(pod);
  }
  return groups.filter((group) => group.pods.length > 0);
}
