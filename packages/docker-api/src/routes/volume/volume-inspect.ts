import { defineRoute, ok } from "../../http/route.ts";
import { encodeVolume } from "../../view/volume.ts";

export const volumeInspect = defineRoute({
  method: "GET",
  path: "/volumes/{name}",
  doc: { state: "works" },
  handle: async (call) => ok(encodeVolume(await call.engine.volumes.get(call.param("name")))),
});
