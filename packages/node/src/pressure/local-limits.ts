import { amount } from "../status/qos.ts";
import type { Pod } from "../types.ts";

/** Bytes that a pod has on the disk. */
export interface DiskUsage {
  /** Of its emptyDir volumes on disk, by name. */
  readonly volumes: ReadonlyMap<string, number>;
  /** Of each container: what it wrote, and its logs. */
  readonly containers: ReadonlyMap<string, number>;
}

const isOnDisk = ({ medium = "" }: { medium?: string }): boolean => medium !== "Memory";

/** Whether anything of the pod's on the disk is limited. */
export function hasDiskLimits({ spec }: Pod): boolean {
  const limited = (spec.volumes ?? []).some(
    ({ emptyDir }) => emptyDir !== undefined && isOnDisk(emptyDir) && amount(emptyDir.sizeLimit) > 0,
  );
  return limited || spec.containers.some(({ resources }) => amount(resources?.limits?.["ephemeral-storage"]) > 0);
}

/** What a pod has more of than it may; undefined where it keeps its limits. */
export function beyondLimits({ spec }: Pod, { volumes, containers }: DiskUsage): string | undefined {
  for (const { name, emptyDir } of spec.volumes ?? []) {
    const limit = emptyDir !== undefined && isOnDisk(emptyDir) ? emptyDir.sizeLimit : undefined;
    if (amount(limit) > 0 && (volumes.get(name) ?? 0) > amount(limit)) {
      return `Usage of EmptyDir volume "${name}" exceeds the limit "${limit}". `;
    }
  }
  let whole = 0;
  for (const { name, resources } of spec.containers) {
    const limit = resources?.limits?.["ephemeral-storage"];
    whole = amount(limit) === 0 ? Number.POSITIVE_INFINITY : whole + amount(limit);
    if (amount(limit) > 0 && (containers.get(name) ?? 0) > amount(limit)) {
      return `Container ${name} exceeded its local ephemeral storage limit "${limit}". `;
    }
  }
  const used = [...volumes.values(), ...containers.values()].reduce((sum, one) => sum + one, 0);
  if (used <= whole) return undefined;
  return `Pod ephemeral local storage usage exceeds the total limit of containers ${whole}. `;
}
