import { readFileSync } from "node:fs";
import { Internal } from "@boxship/base";

/** Ids of the user namespace of this process, see user_namespaces(7). */

/** `count` ids from `inside` on are, seen from the parent namespace, those from `outside` on. */
export interface IdRange {
  readonly inside: number;
  readonly outside: number;
  readonly count: number;
}

export type IdKind = "uid" | "gid";

/** Ids are 32 bits, the last one means "none". */
const ALL_IDS = 4_294_967_295;

/** The ids that exist in this process's user namespace. @param text of a `uid_map` to read instead */
export function idRanges(kind: IdKind, text: string = readFileSync(`/proc/self/${kind}_map`, "latin1")): IdRange[] {
  return text
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => {
      const [inside, outside, count] = line.trim().split(/\s+/).map(Number);
      if (inside === undefined || outside === undefined || count === undefined || Number.isNaN(count)) {
        throw new Internal(`id map ${JSON.stringify(line)} is not understood`);
      }
      return { inside, outside, count };
    });
}

/**
 * Whether this process is in a user namespace in which not all ids exist: root there is an ordinary user to the rest of
 * the machine. It may mount few file systems, makes no device nodes, and changes no control group that was not given to it.
 */
export function inUserNamespace(ranges: readonly IdRange[] = idRanges("uid")): boolean {
  return !ranges.some(({ inside, outside, count }) => inside === 0 && outside === 0 && count === ALL_IDS);
}

/** What an id of the namespace is outside of it, or undefined when it does not exist in it. */
export function idOutside(id: number, ranges: readonly IdRange[]): number | undefined {
  const range = ranges.find(({ inside, count }) => id >= inside && id < inside + count);
  return range === undefined ? undefined : range.outside + id - range.inside;
}

/** What an id outside is in the namespace, or undefined when it has none there. */
export function idInside(id: number, ranges: readonly IdRange[]): number | undefined {
  const range = ranges.find(({ outside, count }) => id >= outside && id < outside + count);
  return range === undefined ? undefined : range.inside + id - range.outside;
}

/** Whether an id can be the owner of a file that this process makes. */
export function hasId(id: number, ranges: readonly IdRange[]): boolean {
  return ranges.some(({ inside, count }) => id >= inside && id < inside + count);
}
