import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

/** The processes of a user that still run. */
export function processesOf(uid: number): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return new RegExp(`^State:\\s+[^Z][^]*^Uid:\\s+${uid}\\s`, "m").test(
          readFileSync(`/proc/${pid}/status`, "utf8"),
        );
      } catch {
        return false; // it has ended
      }
    });
}

/** Looks until what is seen is wanted, or for some seconds; the last look. */
export async function eventually<T>(look: () => Promise<T> | T, wanted: (value: T) => boolean): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    const value = await look();
    if (wanted(value) || attempt > 100) return value;
    await delay(50);
  }
}
