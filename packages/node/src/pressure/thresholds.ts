import type { Amount, NodeSignals } from "./read-signals.ts";

export type PressureCondition = "MemoryPressure" | "DiskPressure" | "PIDPressure";

/** Something of which there is too little. */
export interface Shortage {
  readonly condition: PressureCondition;
  /** As messages name it. */
  readonly resource: "memory" | "ephemeral-storage" | "inodes" | "pids";
  readonly available: number;
  readonly threshold: number;
}

const MI = 1 << 20;
const GI = 1 << 30;

/** Below which of them pods have to go. */
const THRESHOLDS: readonly (readonly [
  keyof NodeSignals,
  PressureCondition,
  Shortage["resource"],
  (of: Amount) => number,
])[] = [
  ["memory", "MemoryPressure", "memory", () => 100 * MI],
  // A tenth of a large disk is a lot: nobody is thrown out while there are 5 GiB.
  ["disk", "DiskPressure", "ephemeral-storage", ({ capacity }) => Math.min(capacity / 10, 5 * GI)],
  // File systems without a table of inodes have none to run out of.
  ["inodes", "DiskPressure", "inodes", ({ capacity }) => capacity / 20],
  ["pids", "PIDPressure", "pids", ({ capacity }) => Math.min(capacity / 20, 1000)],
];

export function shortagesOf(signals: NodeSignals): readonly Shortage[] {
  return THRESHOLDS.flatMap(([name, condition, resource, thresholdOf]) => {
    const { available, capacity } = signals[name];
    const threshold = Math.floor(thresholdOf({ available, capacity }));
    return capacity > 0 && available < threshold ? [{ condition, resource, available, threshold }] : [];
  });
}

/** Of the disk: beyond the first, unused images are collected, until it is below the second. */
const FULL = 0.85;
const FULL_UNTIL = 0.8;

const filled = ({ disk }: NodeSignals): number => 1 - disk.available / disk.capacity;

/** Whether the disk is so full that what is unused should go. */
export const isTooFull = (signals: NodeSignals): boolean => filled(signals) > FULL;

/** Whether more should go, once it was so full. */
export const isStillFull = (signals: NodeSignals): boolean => filled(signals) > FULL_UNTIL;
