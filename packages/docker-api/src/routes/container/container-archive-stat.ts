import { defineRoute } from "../../http/route.ts";
import { encodePathStat, PATH_STAT_HEADER } from "../../view/path-stat.ts";
import { archivePath, namingContainer } from "./archive-path.ts";

export const containerArchiveStat = defineRoute({
  method: "HEAD",
  path: "/containers/{id}/archive",
  doc: { state: "works" },
  query: archivePath,
  handle: async (call, { query: path }) => {
    const ref = call.param("id");
    const stat = await namingContainer(ref, path, call.engine.containers.statPath(ref, path));
    return { status: 200, headers: { [PATH_STAT_HEADER]: encodePathStat(stat) } };
  },
});
