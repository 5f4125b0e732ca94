import { Conflict, FailedPrecondition } from "@boxship/base";
import {
  type ImageConfig,
  type ImageHistory,
  type ImageRecord,
  type ImageRuntimeConfig,
  type Lease,
  makeLayer,
  pairLayers,
  type StoredLayer,
} from "@boxship/oci";
import { type EngineContext, eventAttributes } from "../context.ts";
import type { CommitOptions } from "../engine-api.ts";
import { mergeConfig, runtimeConfigOf } from "../image/image-config.ts";
import { changedConfig, makeImage } from "../image/make-image.ts";
import { newImageName } from "../image/new-image-name.ts";
import { mountPointChanges } from "./container-changes.ts";
import { pauseContainer, unpauseContainer } from "./container-pause.ts";
import { mergeEnv } from "./effective-config.ts";
import type { ContainerRecord } from "./record.ts";

/** Makes an image of a container: the layers of its image, and one with what it has changed. */
export async function commitContainer(
  context: EngineContext,
  ref: string,
  options: CommitOptions = {},
): Promise<{ readonly id: string }> {
  const { images, clock, events } = context;
  const record = context.containers.resolve(ref);
  const tags = newImageName(options.reference);
  const parent = parentOf(context, record);
  const own = configOf(record, parent);
  const base = options.config === undefined ? own : runtimeConfigOf(options.config);
  const config = mergeConfig(changedConfig(base, options.changes), own);
  using lease = images.content.lease();
  using _pin = context.pins.take(record.imageId);
  try {
    const layer = await readLayer(context, record, lease, options.pause ?? true);
    const created = new Date(clock.now()).toISOString();
    const step: ImageHistory = {
      created,
      created_by: (own.Cmd ?? []).join(" "),
      ...(options.author === undefined ? {} : { author: options.author }),
      ...(options.comment === undefined ? {} : { comment: options.comment }),
      ...(layer === undefined ? { empty_layer: true } : {}),
    };
    const id = await makeImage(context, {
      config: documentOf(record, parent, { created, author: options.author, config, step }),
      layers: [...layersOf(parent), ...(layer === undefined ? [] : [layer])],
      tags,
      lease,
    });
    events.publish("container", "commit", record.id, {
      ...eventAttributes(record),
      comment: options.comment ?? "",
      imageID: id,
      imageRef: options.reference ?? "",
    });
    return { id };
  } catch (error) {
    context.background.run("removing what a commit left", () => images.sweep());
    throw error;
  }
}

/** Undefined for a container that was made from nothing. */
function parentOf(context: EngineContext, record: ContainerRecord): ImageRecord | undefined {
  if (record.imageId === "") return undefined;
  const parent = context.images.store.list().find(({ id }) => id === record.imageId);
  if (parent !== undefined) return parent;
  throw new FailedPrecondition(`the image of container ${record.name} is gone: ${record.imageId}`, {
    subject: { kind: "container", name: record.name },
  });
}

function layersOf(parent: ImageRecord | undefined): readonly StoredLayer[] {
  return parent === undefined ? [] : pairLayers(parent.layers, parent.config.rootfs.diff_ids);
}

/** What the container was made with; the search path that every process gets is not part of it. */
function configOf(record: ContainerRecord, parent: ImageRecord | undefined): ImageRuntimeConfig {
  const { effective, config } = record;
  const { entrypoint, onBuild: _, ...rest } = effective;
  const env = mergeEnv(parent?.config.config?.Env ?? [], config.env ?? []);
  return runtimeConfigOf({ ...rest, ...(entrypoint.length === 0 ? {} : { entrypoint }), env });
}

/** Reads the writable layer. @returns undefined when the container has changed nothing */
async function readLayer(
  context: EngineContext,
  record: ContainerRecord,
  lease: Lease,
  pause: boolean,
): Promise<StoredLayer | undefined> {
  await using _paused = pause ? await pausedWhile(context, record.id) : undefined;
  // What is being removed vanishes piece by piece, which looks as if it had never been there, or all at once.
  const isGone = () => context.containers.get(record.id) === undefined;
  const layer = await packLayer(context, record, lease).catch((error: unknown) => {
    throw isGone() ? removedMeanwhile(record, error) : error;
  });
  if (isGone()) throw removedMeanwhile(record);
  return layer;
}

async function packLayer(
  context: EngineContext,
  record: ContainerRecord,
  lease: Lease,
): Promise<StoredLayer | undefined> {
  const mounts = await mountPointChanges(context, record);
  const exclude = new Set([...mounts].map((path) => path.slice(1)));
  const path = context.snapshotter.upperDirectory(record.id);
  const { descriptor, diffId, entries } = await makeLayer({
    source: { kind: "directory", path, options: { whiteouts: true, exclude } },
    store: context.images.content,
    lease,
  });
  return entries === 0 ? undefined : { descriptor, diffId };
}

function removedMeanwhile(record: ContainerRecord, cause?: unknown): Conflict {
  return new Conflict(`container ${record.name} was removed while it was being read`, {
    cause,
    subject: { kind: "container", name: record.name },
  });
}

/** Freezes a container that runs. Somebody else may let it go on, or end it, meanwhile. */
async function pausedWhile(context: EngineContext, id: string): Promise<AsyncDisposable | undefined> {
  if (context.containers.get(id)?.state.status !== "running") return undefined;
  try {
    await pauseContainer(context, id);
  } catch (error) {
    // It has ended, or was paused, at this very moment.
    if (error instanceof Conflict) return undefined;
    throw error;
  }
  return {
    [Symbol.asyncDispose]: async () => {
      if (context.containers.get(id)?.state.status !== "paused") return;
      await unpauseContainer(context, id).catch((error: unknown) => {
        if (!(error instanceof Conflict)) throw error;
      });
    },
  };
}

function documentOf(
  record: ContainerRecord,
  parent: ImageRecord | undefined,
  made: {
    readonly created: string;
    readonly author: string | undefined;
    readonly config: ImageRuntimeConfig;
    readonly step: ImageHistory;
  },
): Omit<ImageConfig, "rootfs"> {
  const { rootfs: _, ...inherited } = parent?.config ?? { ...record.platform, rootfs: undefined };
  const { created, author, config, step } = made;
  return {
    ...inherited,
    created,
    ...(author === undefined ? {} : { author }),
    config,
    history: [...(parent?.config.history ?? []), step],
  };
}
