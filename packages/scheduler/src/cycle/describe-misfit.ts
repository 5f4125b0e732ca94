import type { Rejection } from "../plugin.ts";
import type { Misfit } from "./find-node.ts";

/** Reasons with how many nodes each is of, `2 Insufficient cpu, 1 Too many pods`. */
export function countReasons(rejections: Iterable<Rejection>): string {
  const counts = new Map<string, number>();
  for (const { reasons } of rejections) {
    for (const reason of reasons) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  }
  return [...counts]
    .map(([reason, count]) => `${count} ${reason}`)
    .sort()
    .join(", ");
}

/**
 * Why a pod goes nowhere, in upstream's words: tools read them.
 *
 * @param preemption what became of the attempt to make room; undefined: none was made
 */
export function describeMisfit({ rejections, everywhere, nodes }: Misfit, preemption?: string): string {
  if (nodes === 0) return "no nodes available to schedule pods";
  const why = everywhere === undefined ? countReasons(rejections.values()) : everywhere.reasons.join(", ");
  const end = preemption === undefined ? "" : ` preemption: ${preemption}`;
  return `0/${nodes} nodes are available: ${why}.${end}`;
}
