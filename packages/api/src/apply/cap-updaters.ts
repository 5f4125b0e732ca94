import { isSameManager, type Manager } from "./managers.ts";

/** How many updaters an object tells apart. */
const MOST = 10;
/** Who the oldest of more are gathered under. */
const GATHERED = "ancient-changes";

/**
 * The oldest of too many updaters become one, for each version in which they wrote, without their names and subresources.
 * Appliers stay: they need theirs.
 */
export function capUpdaters(managers: readonly Manager[]): readonly Manager[] {
  const kept = new Set(managers.filter(({ fields }) => !fields.isEmpty));
  const updaters = [...kept].filter(({ operation }) => operation === "Update").toSorted(byTime);
  let count = updaters.length;
  const oldest = new Map<string, Manager>();
  for (const one of updaters) {
    if (count <= MOST) break;
    const first = oldest.get(one.apiVersion);
    if (first === undefined) {
      oldest.set(one.apiVersion, one);
      continue;
    }
    const bucket = { name: GATHERED, operation: "Update", apiVersion: one.apiVersion, subresource: "" } as const;
    const before = [...kept].find((other) => isSameManager(other, bucket));
    const merged: Manager = { ...bucket, time: one.time, fields: one.fields.union((before ?? first).fields) };
    kept.delete(one);
    kept.delete(before ?? first);
    kept.add(merged);
    count--;
  }
  return [...kept];
}

function byTime(a: Manager, b: Manager): number {
  if (a.time !== b.time) return a.time < b.time ? -1 : 1;
  return identifier(a) < identifier(b) ? -1 : 1;
}

/** What upstream tells managers apart by. */
function identifier({ name, operation, apiVersion, subresource }: Manager): string {
  return JSON.stringify({ manager: name, operation, apiVersion, ...(subresource === "" ? {} : { subresource }) });
}
