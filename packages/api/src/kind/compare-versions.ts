const VERSION = /^v(?<major>\d+)(?:(?<stage>alpha|beta)(?<minor>\d+))?$/;
const STAGES = ["alpha", "beta", ""];

/** The order of preference: stable before beta before alpha, newer before older, and others by name. */
export function compareVersions(left: string, right: string): number {
  const [a, b] = [VERSION.exec(left)?.groups, VERSION.exec(right)?.groups];
  if (a === undefined || b === undefined)
    return a === b ? (left < right ? -1 : left > right ? 1 : 0) : a === undefined ? 1 : -1;
  const stage = STAGES.indexOf(b["stage"] ?? "") - STAGES.indexOf(a["stage"] ?? "");
  return stage || Number(b["major"]) - Number(a["major"]) || Number(b["minor"] ?? 0) - Number(a["minor"] ?? 0);
}
