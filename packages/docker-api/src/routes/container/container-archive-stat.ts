import { defineRoute } from "../../http/route.ts";
import { encodePathStat, PATH_STAT_HEADER } from "../../view/path-stat.ts";
import { archivePath } from "./archive-path.ts";

export const containerArchiveStat = defineRoute({
  method: "HEAD",
  path: "/containers/{id}/archive",
  doc: { state: "works" },
  query: archivePath,
  handle: async (call, { query: path }) => {
    const stat = await call.engine.containers.statPath(call.param("id"), path);
    return { status: 200, headers: { [PATH_STAT_HEADER]: encodePathStat(stat) } };
  },
});
