import type { IdKind } from "./user-namespace.ts";

/** Ids that a user may hand out in user namespaces of his own, see subuid(5). */
export interface SubordinateRange {
  readonly first: number;
  readonly count: number;
}

export const SUBORDINATE_FILES: Readonly<Record<IdKind, string>> = { uid: "/etc/subuid", gid: "/etc/subgid" };

export interface SubordinateLine extends SubordinateRange {
  readonly owner: string;
}

/** The lines of subuid(5) and subgid(5); what is none is passed over. */
export function subordinateLines(text: string): readonly SubordinateLine[] {
  return text.split("\n").flatMap((line) => {
    const [owner = "", first, count] = line.trim().split(":");
    const range = { owner, first: Number(first), count: Number(count) };
    const valid = owner !== "" && Number.isInteger(range.first) && Number.isInteger(range.count) && range.count > 0;
    return valid ? [range] : [];
  });
}
