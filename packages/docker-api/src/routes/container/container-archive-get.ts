import { defineRoute } from "../../http/route.ts";
import { sendStream } from "../../http/send-stream.ts";
import { encodePathStat, PATH_STAT_HEADER } from "../../view/path-stat.ts";
import { archivePath } from "./archive-path.ts";

export const containerArchiveGet = defineRoute({
  method: "GET",
  path: "/containers/{id}/archive",
  doc: { state: "works" },
  query: archivePath,
  handle: async (call, { query: path }) => {
    const { stat, stream } = await call.engine.containers.getArchive(call.param("id"), path);
    await sendStream(call, stream, { "Content-Type": "application/x-tar", [PATH_STAT_HEADER]: encodePathStat(stat) });
    return undefined;
  },
});
