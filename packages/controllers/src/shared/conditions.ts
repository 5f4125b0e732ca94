import type { Condition } from "../types/pod.ts";

/** Conditions with one more, or one changed: the time of the last transition stays while the status is the same. */
export function withCondition(conditions: readonly Condition[] = [], next: Condition): Condition[] {
  const current = conditions.find(({ type }) => type === next.type);
  if (current === undefined) return [...conditions, next];
  const kept = current.status === next.status ? { lastTransitionTime: current.lastTransitionTime } : {};
  return conditions.map((one) => (one === current ? { ...next, ...defined(kept) } : one));
}

export function withoutCondition(conditions: readonly Condition[] = [], type: string): Condition[] {
  return conditions.filter((one) => one.type !== type);
}

function defined(fields: { lastTransitionTime?: string | undefined }): { lastTransitionTime?: string } {
  return fields.lastTransitionTime === undefined ? {} : { lastTransitionTime: fields.lastTransitionTime };
}
