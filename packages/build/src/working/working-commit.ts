import { makeImage, newImageName } from "@boxship/engine";
import { type ImageConfig, type ImageHistory, type Lease, makeLayer, type StoredLayer } from "@boxship/oci";
import type { BuilderParts } from "../solver/session.ts";
import type { OpenRoots } from "./open-roots.ts";
import type { WorkingRecord } from "./record.ts";
import type { WorkingCommit } from "./working-contract.ts";

export interface CommitParts {
  readonly builder: BuilderParts;
  readonly roots: OpenRoots;
  /** Paths that are there only because commands run. */
  readonly stubs: readonly string[];
}

/** Makes an image of a working container, which goes on to be there. @returns its id */
export async function commitWorking(
  parts: CommitParts,
  record: WorkingRecord,
  request: WorkingCommit,
  signal: AbortSignal,
): Promise<string> {
  const { engine } = parts.builder;
  const { names = [], squash = false, timestamp } = request;
  const tags = names.flatMap((name) => newImageName(name));
  using lease = engine.images.content.lease();
  const layer = squash
    ? await wholeTree(parts, record, lease, signal)
    : await ownLayer(parts, record, lease, timestamp);
  const layers = squash ? [layer] : [...record.layers, layer];
  const created = new Date(timestamp === undefined ? engine.clock.now() : timestamp * 1000).toISOString();
  const config = documentOf(record, request, created);
  const id = await makeImage(engine, { config, layers, tags, lease, signal });
  engine.events.publish("image", "commit", id, { name: names[0] ?? id });
  return id;
}

/** What was changed. Buildah has a layer also for nothing. */
async function ownLayer(
  { builder, stubs }: CommitParts,
  { id }: WorkingRecord,
  lease: Lease,
  latest: number | undefined,
): Promise<StoredLayer> {
  const { engine } = builder;
  const { descriptor, diffId } = await makeLayer({
    source: {
      kind: "directory",
      path: engine.snapshotter.upperDirectory(id),
      options: {
        whiteouts: true,
        exclude: withoutSlash(stubs),
        ...(latest === undefined ? {} : { latestMtime: latest }),
      },
    },
    store: engine.images.content,
    lease,
  });
  return { descriptor, diffId };
}

async function wholeTree(
  { builder, roots, stubs }: CommitParts,
  { id }: WorkingRecord,
  lease: Lease,
  signal: AbortSignal,
): Promise<StoredLayer> {
  await using root = await roots.use(id);
  const { descriptor, diffId } = await makeLayer({
    source: { kind: "directory", path: root.path, options: { exclude: withoutSlash(stubs) } },
    store: builder.engine.images.content,
    lease,
    signal,
  });
  return { descriptor, diffId };
}

function withoutSlash(paths: readonly string[]): ReadonlySet<string> {
  return new Set(paths.map((path) => path.slice(1)));
}

function documentOf(
  record: WorkingRecord,
  { squash = false, omitHistory = false, unsetEnv = [] }: WorkingCommit,
  created: string,
): Omit<ImageConfig, "rootfs"> {
  const { base, config, fromImage, createdBy, historyComment = "" } = record;
  const comment = `${historyComment}${fromImage === "scratch" ? "" : `FROM ${fromImage}`}`;
  const step: ImageHistory = {
    created,
    created_by: createdBy ?? (config.Shell === undefined ? "/bin/sh" : config.Shell.join(" ")),
    ...(base.author === undefined || base.author === "" ? {} : { author: base.author }),
    ...(comment === "" ? {} : { comment }),
  };
  const gone = new Set(unsetEnv);
  const { Env = [], ...rest } = config;
  const env = Env.filter((entry) => !gone.has(entry.split("=", 1)[0] ?? ""));
  const history = squash ? [step] : [...record.history, step];
  return {
    ...base,
    created,
    config: { ...rest, ...(env.length === 0 ? {} : { Env: env }) },
    ...(omitHistory ? {} : { history }),
  };
}
