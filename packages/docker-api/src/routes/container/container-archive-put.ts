import { flag } from "../../http/query.ts";
import { defineRoute } from "../../http/route.ts";
import { archivePath } from "./archive-path.ts";

export const containerArchivePut = defineRoute({
  method: "PUT",
  path: "/containers/{id}/archive",
  doc: { state: "works" },
  query: (query) => ({
    path: archivePath(query),
    options: {
      noOverwriteDirNonDir: flag(query, "noOverwriteDirNonDir"),
      copyUidGid: flag(query, "copyUIDGID"),
    },
  }),
  handle: async (call, { query: { path, options } }) => {
    await call.engine.containers.putArchive(call.param("id"), path, call.request, options);
    return { status: 200 };
  },
});
