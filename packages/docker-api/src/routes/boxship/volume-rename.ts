import { required } from "../../http/query.ts";
import { defineRoute, noContent } from "../../http/route.ts";

export const volumeRename = defineRoute({
  method: "POST",
  path: "/boxship/volumes/{name}/rename",
  doc: { state: "works", note: "extension: gives a volume that no container has another `name`" },
  query: (query) => required(query, "name"),
  handle: async (call, { query: newName }) => {
    await call.engine.volumes.rename(call.param("name"), newName);
    return noContent;
  },
});
