import { InvalidArgument } from "@boxship/base";
import type { EngineApi } from "@boxship/engine";
import { defineRoute, ok } from "../../http/route.ts";
import { encodeBuildCache } from "../../view/build-cache.ts";
import { encodeContainerSummary } from "../../view/container-summary.ts";
import { encodeImageSummary } from "../../view/image.ts";
import { encodeVolume } from "../../view/volume.ts";

const TYPES = ["container", "image", "volume", "build-cache"] as const;
type DiskType = (typeof TYPES)[number];

function typesOf(query: URLSearchParams, version: number): ReadonlySet<DiskType> {
  const asked = version < 42 ? [] : query.getAll("type");
  const types = asked.map((name) => {
    const type = TYPES.find((known) => known === name);
    if (type === undefined) throw new InvalidArgument(`unknown object type: ${name}`);
    return type;
  });
  return new Set(types.length === 0 ? TYPES : types);
}

export const systemDf = defineRoute({
  method: "GET",
  path: "/system/df",
  doc: { state: "works" },
  query: typesOf,
  handle: async ({ engine, context, version }, { query: types }) => {
    const [images, containers, volumes, records] = await Promise.all([
      types.has("image") ? imagesOf(engine, version) : {},
      types.has("container") ? containersOf(engine, context.clock.now(), version) : {},
      types.has("volume") ? volumesOf(engine) : {},
      types.has("build-cache") ? (context.build?.list() ?? []) : undefined,
    ]);
    const builderSize = (records ?? []).reduce((sum, { size }) => sum + size, 0);
    const builder = {
      BuildCache: records?.map((record) => encodeBuildCache(record, version)) ?? null,
      ...(version < 42 ? { BuilderSize: builderSize } : {}),
    };
    return ok({ ...images, ...containers, ...volumes, ...builder });
  },
});

async function imagesOf(engine: EngineApi, version: number): Promise<object> {
  const [images, layersSize] = await Promise.all([engine.images.list(), engine.system.layersSize()]);
  const counts = { sharedSize: true, containers: true };
  return { LayersSize: layersSize, Images: images.map((image) => encodeImageSummary(image, version, counts)) };
}

async function containersOf(engine: EngineApi, now: number, version: number): Promise<object> {
  const containers = await engine.containers.list({ all: true, size: true });
  return { Containers: containers.map((view) => encodeContainerSummary(view, now, version)) };
}

async function volumesOf(engine: EngineApi): Promise<object> {
  return { Volumes: (await engine.volumes.list({ size: true })).map(encodeVolume) };
}
