import type { IntOrPercent } from "../types/workloads.ts";

/** A number, or so many percent of the whole, rounded up or down. */
export function scaledValue(value: IntOrPercent | undefined, whole: number, round: "up" | "down"): number {
  if (value === undefined) return 0;
  if (typeof value === "number") return value;
  const percent = Number(/^(\d+)%$/.exec(value)?.[1] ?? Number.NaN);
  if (Number.isNaN(percent)) return Number(value) || 0;
  const part = (percent * whole) / 100;
  return round === "up" ? Math.ceil(part) : Math.floor(part);
}
