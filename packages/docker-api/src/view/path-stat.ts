import type { PathStat } from "@boxship/engine";
import { rfc3339 } from "../format/time.ts";

export const PATH_STAT_HEADER = "X-Docker-Container-Path-Stat";

/** The header that describes a path in a container: JSON in base64. */
export function encodePathStat(stat: PathStat): string {
  const json = JSON.stringify({
    name: stat.name,
    size: stat.size,
    mode: stat.mode,
    mtime: rfc3339(stat.mtime),
    linkTarget: stat.linkTarget,
  });
  return Buffer.from(json).toString("base64");
}
