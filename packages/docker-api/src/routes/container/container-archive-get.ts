import { defineRoute } from "../../http/route.ts";
import { sendStream } from "../../http/send-stream.ts";
import { encodePathStat, PATH_STAT_HEADER } from "../../view/path-stat.ts";
import { archivePath, namingContainer } from "./archive-path.ts";

export const containerArchiveGet = defineRoute({
  method: "GET",
  path: "/containers/{id}/archive",
  doc: { state: "works" },
  query: archivePath,
  handle: async (call, { query: path }) => {
    const ref = call.param("id");
    const { stat, stream } = await namingContainer(ref, path, call.engine.containers.getArchive(ref, path));
    await sendStream(call, stream, { "Content-Type": "application/x-tar", [PATH_STAT_HEADER]: encodePathStat(stat) });
    return undefined;
  },
});
