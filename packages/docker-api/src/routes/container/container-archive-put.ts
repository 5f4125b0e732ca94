import { flag } from "../../http/query.ts";
import { defineRoute } from "../../http/route.ts";
import { archivePath, namingContainer } from "./archive-path.ts";

export const containerArchivePut = defineRoute({
  method: "PUT",
  path: "/containers/{id}/archive",
  doc: {
    state: "works",
    note: "what came before the place at which an archive is refused (a name that leads out, a bad header, its early end) stays unpacked, as with Docker",
  },
  query: (query) => ({
    path: archivePath(query),
    options: {
      noOverwriteDirNonDir: flag(query, "noOverwriteDirNonDir"),
      copyUidGid: flag(query, "copyUIDGID"),
    },
  }),
  handle: async (call, { query: { path, options } }) => {
    const ref = call.param("id");
    await namingContainer(ref, path, call.engine.containers.putArchive(ref, path, call.request, options));
    return { status: 200 };
  },
});
