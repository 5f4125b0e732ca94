import { created, defineRoute } from "../../http/route.ts";
import { encodeVolume } from "../../view/volume.ts";
import { decodeBody, field, map, object, string } from "../../wire/codec.ts";

interface CloneVolume {
  readonly name?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly snapshot?: string;
}

const cloneVolume = object<CloneVolume>("CloneOptions", {
  name: field("Name", string),
  labels: field("Labels", map(string)),
  snapshot: field("Snapshot", string),
});

export const volumeClone = defineRoute({
  method: "POST",
  path: "/boxship/volumes/{name}/clone",
  doc: { state: "works", note: "extension: another volume with the same content, or with that of a snapshot" },
  body: (body, context) => decodeBody(cloneVolume, body, context),
  handle: async (call, { body: { name = "", ...rest } }) =>
    created(encodeVolume(await call.engine.volumes.clone(call.param("name"), { name, ...rest }))),
});
