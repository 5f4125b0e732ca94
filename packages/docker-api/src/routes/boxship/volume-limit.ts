import { required } from "../../http/query.ts";
import { defineRoute, ok } from "../../http/route.ts";
import { encodeVolume } from "../../view/volume.ts";

export const volumeLimit = defineRoute({
  method: "POST",
  path: "/boxship/volumes/{name}/limit",
  doc: { state: "works", note: "extension: gives a volume a limit (`size`, as in `512m`), or a larger one" },
  query: (query) => required(query, "size"),
  handle: async (call, { query: size }) => ok(encodeVolume(await call.engine.volumes.limit(call.param("name"), size))),
});
