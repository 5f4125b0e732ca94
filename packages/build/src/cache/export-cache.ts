import { errorMessage } from "@boxship/base";
import {
  compressLayer,
  type Descriptor,
  encodeManifest,
  familiarReference,
  MediaType,
  ociLayerType,
  parseReference,
  withDefaultTag,
} from "@boxship/oci";
import type { CacheExport, CacheExportOptions } from "../contract.ts";
import { registryCredentials } from "../solver/base-image.ts";
import { keyOf } from "../solver/keys.ts";
import type { BuildSession } from "../solver/session.ts";
import type { StageState } from "../solver/state.ts";
import {
  CACHE_CONFIG,
  type CachedLayer,
  DIFF_ID_ANNOTATION,
  encodeCacheConfig,
  encodeInlineCache,
  encodeRecords,
} from "./cache-document.ts";
import { LayersLost } from "./imported-cache.ts";
import type { StepLayer } from "./step-cache.ts";

type Elsewhere = Exclude<CacheExport, { readonly kind: "inline" }>;

/** What the image's configuration says when its cache goes along; undefined when it does not. */
export function inlineCache(session: BuildSession, state: StageState): string | undefined {
  if (!(session.request.cacheTo ?? []).some(({ kind }) => kind === "inline")) return undefined;
  const places = new Map(state.layers.map(({ diffId }, index) => [diffId, index]));
  return encodeInlineCache(recordsOf(session, places));
}

/** In an order that does not depend on which stage was quicker. */
function recordsOf({ journal }: BuildSession, places: ReadonlyMap<string, number>): readonly unknown[] {
  const sorted = <Value>(entries: Map<string, Value>) => [...entries].toSorted(([a], [b]) => (a < b ? -1 : 1));
  const steps = sorted(journal.steps).map(([, step]) => step);
  const facts = Object.fromEntries(sorted(journal.facts));
  return encodeRecords(steps, facts, ({ layer }) => (layer === undefined ? undefined : places.get(layer.diffId)));
}

/** Writes the cache of a build to where it is asked for. @returns what the client is told of it */
export async function exportCaches(
  built: readonly { readonly session: BuildSession; readonly state: StageState; readonly steps?: StageState }[],
): Promise<Readonly<Record<string, unknown>>> {
  const [first] = built;
  if (first === undefined) return {};
  const { session } = first;
  // The platforms of one build are one cache.
  for (const other of built.slice(1)) {
    for (const [key, step] of other.session.journal.steps) session.journal.steps.set(key, step);
    for (const [key, fact] of other.session.journal.facts) session.journal.facts.set(key, fact);
  }
  const states = built.map(({ state, steps }) => steps ?? state);
  let told: Readonly<Record<string, unknown>> = {};
  for (const [index, target] of (session.request.cacheTo ?? []).entries()) {
    if (target.kind === "inline") continue;
    const manifest = await observed(session, target, index, () => exportOne(session, states, target));
    if (manifest !== undefined) told = { ...told, "cache.manifest": manifest };
  }
  return told;
}

async function observed(
  session: BuildSession,
  target: Elsewhere,
  index: number,
  task: () => Promise<Descriptor>,
): Promise<Descriptor | undefined> {
  const vertex = `sha256:${keyOf("export cache", index)}`;
  const name = target.kind === "registry" ? "registry" : "client directory";
  session.announce({ digest: vertex, inputs: [], name: `exporting cache to ${name}` });
  session.emit({ kind: "started", vertex, time: session.now() });
  try {
    const result = await task();
    session.emit({ kind: "completed", vertex, time: session.now(), cached: false });
    return result;
  } catch (error) {
    session.signal.throwIfAborted();
    const message = errorMessage(error);
    session.emit({ kind: "failed", vertex, time: session.now(), error: message });
    if (target.options?.ignoreError !== true) throw error;
    session.warnings.push({ rule: "CacheExport", message: `the cache was not exported: ${message}` });
    return undefined;
  }
}

async function exportOne(session: BuildSession, states: readonly StageState[], target: Elsewhere): Promise<Descriptor> {
  const { options = {} } = target;
  const layers = await layersOf(session, states, options);
  const records = recordsOf(session, new Map(layers.map(({ diffId }, index) => [diffId, index])));
  const { content } = session.parts.engine.images;
  const put = async (mediaType: string, bytes: Uint8Array): Promise<Descriptor> => {
    const stored = await content.put(bytes);
    session.lease.add(stored.digest);
    return { mediaType, ...stored };
  };
  const config = await put(CACHE_CONFIG, encodeCacheConfig(layers, records));
  const blobs = layers.map(({ descriptor, diffId }) => ({
    ...descriptor,
    annotations: { [DIFF_ID_ANNOTATION]: diffId },
  }));
  const manifest = manifestOf(config, blobs, options);
  const written = await put(manifest.mediaType, encodeManifest(manifest));
  await send(session, target, [...blobs, config], written);
  return written;
}

function manifestOf(
  config: Descriptor,
  layers: readonly Descriptor[],
  { imageManifest = true, ociMediaTypes = true }: CacheExportOptions,
): Parameters<typeof encodeManifest>[0] {
  if (imageManifest) return { kind: "manifest", mediaType: MediaType.OciManifest, config, layers };
  const mediaType = ociMediaTypes ? MediaType.OciIndex : MediaType.DockerIndex;
  return { kind: "index", mediaType, manifests: [...layers, config] };
}

/**
 * The layers that go along: those of the result, or of every stage. A layer of a stage that was never brought here
 * because nobody needed it stays where it is.
 */
async function layersOf(
  session: BuildSession,
  states: readonly StageState[],
  { mode = "min", compression = "gzip", level, force = false }: CacheExportOptions,
): Promise<readonly CachedLayer[]> {
  const { content } = session.parts.engine.images;
  const result = new Set(states.flatMap(({ layers }) => layers.map(({ diffId }) => diffId)));
  const wanted = new Map<string, StepLayer>();
  for (const { layer } of session.journal.steps.values()) {
    if (layer === undefined || (mode === "min" && !result.has(layer.diffId))) continue;
    if (!(await isHere(session, layer))) continue;
    wanted.set(layer.diffId, layer);
  }
  return Promise.all(
    [...wanted.values()].map(async ({ descriptor, diffId }) => {
      const plain = { ...descriptor, mediaType: ociLayerType(descriptor.mediaType) };
      const { lease, signal } = session;
      const options = { store: content, lease, signal, compression, level, force };
      return { descriptor: await compressLayer(plain, options), diffId };
    }),
  );
}

async function isHere(session: BuildSession, layer: StepLayer): Promise<boolean> {
  try {
    await session.imported.fetch([layer]);
  } catch (error) {
    if (error instanceof LayersLost) return false;
    throw error;
  }
  return (await session.parts.engine.images.content.stat(layer.descriptor.digest)) !== undefined;
}

async function send(
  session: BuildSession,
  target: Elsewhere,
  blobs: readonly Descriptor[],
  manifest: Descriptor,
): Promise<void> {
  const { client, content: store } = session.parts.engine.images;
  const { signal } = session;
  if (target.kind === "registry") {
    const reference = withDefaultTag(parseReference(target.reference));
    const options = { ...(await registryCredentials(session, reference)), signal };
    for (const descriptor of blobs) await client.pushBlob({ ...options, reference, descriptor, store });
    const bytes = await store.read(manifest.digest);
    await client.putManifest(reference, { bytes, digest: manifest.digest, mediaType: manifest.mediaType }, options);
    session.parts.engine.logger.debug("exported a build cache", { reference: familiarReference(reference) });
    return;
  }
  const { sink } = target;
  for (const descriptor of [...blobs, manifest]) {
    signal.throwIfAborted();
    if (await sink.has(descriptor, signal)) continue;
    await using reader = await store.open(descriptor.digest);
    await sink.write(descriptor, reader.chunks(), signal);
  }
  await sink.finish(manifest, signal);
}
