import { labelsOf, required } from "../../http/query.ts";
import { created, defineRoute } from "../../http/route.ts";
import { encodeVolume } from "../../view/volume.ts";

export const volumeImport = defineRoute({
  method: "POST",
  path: "/boxship/volumes/import",
  doc: { state: "works", note: "extension: a new volume `name` with the content of a plain or compressed tar" },
  query: (query) => ({ name: required(query, "name"), labels: labelsOf(query) }),
  handle: async (call, { query }) => {
    const volume = await call.engine.volumes.import(query, call.request, call.signal);
    return created(encodeVolume(volume));
  },
});
