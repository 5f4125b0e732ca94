import { created, defineRoute } from "../../http/route.ts";
import { encodeVolume } from "../../view/volume.ts";
import { decodeBody, field, map, object, type RefusedField, string } from "../../wire/codec.ts";

interface CreateVolume {
  readonly name?: string;
  readonly driver?: string;
  readonly options?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
}

const REFUSED: readonly RefusedField[] = [{ wire: "ClusterVolumeSpec", reason: "cluster volumes belong to swarm" }];

const createVolume = object<CreateVolume>(
  "CreateOptions",
  {
    name: field("Name", string),
    driver: field("Driver", string),
    options: field("DriverOpts", map(string)),
    labels: field("Labels", map(string)),
  },
  REFUSED,
);

export const volumeCreate = defineRoute({
  method: "POST",
  path: "/volumes/create",
  doc: { state: "works" },
  body: (body, context) => decodeBody(createVolume, body, context),
  handle: async ({ engine }, { body }) => created(encodeVolume(await engine.volumes.create(body))),
});
