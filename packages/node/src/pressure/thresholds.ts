import type { NodeSignals } from "./read-signals.ts";

export type PressureCondition = "MemoryPressure" | "DiskPressure" | "PIDPressure";

/** What is measured, by the kubelet's names. Images are on the file system of the node's other files. */
export const SIGNALS = {
  "memory.available": { of: "memory", condition: "MemoryPressure", resource: "memory" },
  "nodefs.available": { of: "disk", condition: "DiskPressure", resource: "ephemeral-storage" },
  "nodefs.inodesFree": { of: "inodes", condition: "DiskPressure", resource: "inodes" },
  "imagefs.available": { of: "disk", condition: "DiskPressure", resource: "ephemeral-storage" },
  "imagefs.inodesFree": { of: "inodes", condition: "DiskPressure", resource: "inodes" },
  "pid.available": { of: "pids", condition: "PIDPressure", resource: "pids" },
} as const satisfies Readonly<
  Record<string, { of: keyof NodeSignals; condition: PressureCondition; resource: Resource }>
>;

export type Signal = keyof typeof SIGNALS;

/** As messages name it. */
export type Resource = "memory" | "ephemeral-storage" | "inodes" | "pids";

/** Bytes, inodes or processes, or a part of what there is. */
export type Bound = { readonly amount: number } | { readonly part: number; readonly most?: number };

/** Below what pods have to go. */
export interface Threshold {
  readonly signal: Signal;
  readonly bound: Bound;
  /** For so long it must have been short of; pods have a while to end then. @default they go at once */
  readonly graceMs?: number;
  /** How much more than the threshold there must be, once it was crossed. @default no more */
  readonly reclaim?: Bound;
}

export interface EvictionSettings {
  readonly thresholds: readonly Threshold[];
  /** How long a condition stays after the last time that there was too little. @default 5 minutes */
  readonly transitionMs?: number;
  /** Most that pods have to end where a threshold has a grace period. @default 0 */
  readonly mostGraceSeconds?: number;
}

/** Something of which there is too little. */
export interface Shortage {
  readonly crossed: Threshold;
  readonly condition: PressureCondition;
  readonly resource: Resource;
  readonly available: number;
  readonly threshold: number;
}

const MI = 1 << 20;
const GI = 1 << 30;

export const DEFAULT_THRESHOLDS: readonly Threshold[] = [
  { signal: "memory.available", bound: { amount: 100 * MI } },
  // A tenth of a large disk is a lot: nobody is thrown out while there are 5 GiB.
  { signal: "nodefs.available", bound: { part: 0.1, most: 5 * GI } },
  { signal: "nodefs.inodesFree", bound: { part: 0.05 } },
  { signal: "pid.available", bound: { part: 0.05, most: 1000 } },
];

function amountOf(bound: Bound, capacity: number): number {
  if ("amount" in bound) return bound.amount;
  return Math.min(bound.part * capacity, bound.most ?? Number.POSITIVE_INFINITY);
}

/**
 * Of what there is too little, memory first.
 *
 * @param before thresholds that were crossed at the last look: they stay so until there is more than what they say
 */
export function shortagesOf(
  signals: NodeSignals,
  thresholds: readonly Threshold[],
  before: ReadonlySet<Threshold>,
): readonly Shortage[] {
  const shortages = thresholds.flatMap((crossed): Shortage[] => {
    const { of, condition, resource } = SIGNALS[crossed.signal];
    const { available, capacity } = signals[of];
    const threshold = Math.floor(amountOf(crossed.bound, capacity));
    const { reclaim } = crossed;
    const more = reclaim !== undefined && before.has(crossed) ? amountOf(reclaim, capacity) : 0;
    // File systems without a table of inodes have none to run out of.
    return capacity > 0 && available < threshold + more ? [{ crossed, condition, resource, available, threshold }] : [];
  });
  return shortages.toSorted((a, b) => Number(b.resource === "memory") - Number(a.resource === "memory"));
}

/** Of the disk: beyond the first, unused images are collected, until it is below the second. */
const FULL = 0.85;
const FULL_UNTIL = 0.8;

const filled = ({ disk }: NodeSignals): number => 1 - disk.available / disk.capacity;

/** Whether the disk is so full that what is unused should go. */
export const isTooFull = (signals: NodeSignals): boolean => filled(signals) > FULL;

/** Whether more should go, once it was so full. */
export const isStillFull = (signals: NodeSignals): boolean => filled(signals) > FULL_UNTIL;
