import { randomBytes } from "node:crypto";
import { NotFound } from "@boxship/base";
import { unpackInto } from "@boxship/engine";
import { CurrentDirectory, descriptorPath, OpenFlag, openat } from "@boxship/kernel";
import { chainIds, type Digest, makeLayer, type StoredLayer, unpackStored } from "@boxship/oci";
import type { StepLayer } from "../cache/step-cache.ts";
import { clampFileTimes, dropUnchangedDirectories } from "../files/files.ts";
import type { BuildSession } from "./session.ts";
import { chainOf } from "./state.ts";

/** A file system on top of some layers that can be written to. */
export interface WorkingRoot {
  readonly id: string;
  readonly path: string;
  /** Directories whose entry in the layer says nothing when they are as below. */
  readonly touched: string[];
  /** Its writable layer was filled without being mounted. @default false */
  readonly filled?: boolean;
}

/** Makes an id like a container's. */
export function newWorkingId(): string {
  return randomBytes(32).toString("hex");
}

/**
 * Gives a task a writable file system on top of layers, and takes it away afterwards.
 *
 * @param readOnly nothing will be written
 * @param mapped for a container in the engine's user namespace
 * @param mounted false: it is only made, and its layer filled by the task
 */
export async function withRoot<T>(
  session: BuildSession,
  layers: readonly StoredLayer[],
  task: (root: WorkingRoot) => Promise<T>,
  options: {
    readonly readOnly?: boolean;
    readonly id?: string;
    readonly mapped?: boolean;
    readonly mounted?: boolean;
  } = {},
): Promise<T> {
  const { snapshotter } = session.parts.engine;
  await ensureUnpacked(session, layers);
  const id = options.id ?? newWorkingId();
  await snapshotter.createContainer(id, chainOf(layers), { temporary: true });
  try {
    const { readOnly = false, mapped = false, mounted = true } = options;
    const path = mounted ? snapshotter.mountContainer(id, { readOnly, mapped }) : snapshotter.upperDirectory(id);
    return await task({ id, path, touched: [] });
  } finally {
    if (snapshotter.listContainers().some((container) => container.id === id)) await snapshotter.removeContainer(id);
  }
}

/** Layers that came from a registry or were found in a cache may be blobs only. */
export async function ensureUnpacked(session: BuildSession, layers: readonly StoredLayer[]): Promise<void> {
  const { engine } = session.parts;
  if (layers.length === 0) return;
  try {
    engine.snapshotter.chainDirectories(chainOf(layers) ?? "");
    return;
  } catch (error) {
    if (!(error instanceof NotFound)) throw error;
  }
  await session.imported.fetch(layers);
  await unpackStored({
    store: engine.images.content,
    layers,
    unpackLayer: (layer) => unpackInto(engine, layer),
    isUnpacked: (chainId) => engine.snapshotter.has(chainId),
    isKnown: () => true,
    signal: session.signal,
  });
}

/**
 * Makes a layer of what was written to a root, which is gone afterwards. Others can go on from the layer at once; it is
 * made durable meanwhile.
 *
 * @param onDurable called when it is, before the build is over
 * @returns undefined when nothing was written
 */
export async function finishLayer(
  session: BuildSession,
  root: WorkingRoot,
  below: readonly StoredLayer[],
  onDurable: (layer: StepLayer | undefined) => void,
): Promise<StepLayer | undefined> {
  const { engine } = session.parts;
  const { snapshotter } = engine;
  await snapshotter.unmountContainer(root.id);
  const upper = snapshotter.upperDirectory(root.id);
  await dropTouched(session, root, upper);
  if (session.epoch !== undefined) await clampFileTimes(upper, session.epoch);
  const made = await makeLayer({
    source: { kind: "directory", path: upper, options: { whiteouts: true } },
    store: engine.images.content,
    lease: session.lease,
    signal: session.signal,
  });
  if (made.entries === 0) {
    onDurable(undefined);
    return undefined;
  }
  const { descriptor, diffId, size } = made;
  const chainId = chainIds([...below.map((layer) => layer.diffId), diffId]).at(-1) as Digest;
  const layer: StepLayer = { descriptor, diffId, chainId, size };
  if (snapshotter.has(chainId)) {
    onDurable(layer);
    return layer;
  }
  const stage = await snapshotter.layerFromContainer(root.id, chainId, {
    edited: root.filled === true || session.epoch !== undefined,
  });
  stage.expose();
  session.later(stage.commit(size).then(() => onDurable(layer)));
  return layer;
}

async function dropTouched(session: BuildSession, root: WorkingRoot, upper: string): Promise<void> {
  if (root.touched.length === 0) return;
  // A layer that is committed meanwhile moves: descriptors stay.
  using open = new DisposableStack();
  const lowers = session.parts.engine.snapshotter
    .lowerDirectories(root.id)
    .map((path) => descriptorPath(open.use(openat(CurrentDirectory, path, OpenFlag.Path | OpenFlag.Directory))));
  await dropUnchangedDirectories(upper, lowers, root.touched);
}
