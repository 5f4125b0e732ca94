import { InvalidArgument } from "@boxship/base";
import { type Descriptor, type Digest, isDigest } from "@boxship/oci";
import type { StepRecord } from "./step-cache.ts";

/** Media types of the documents in which BuildKit keeps a cache. */
export const CACHE_CONFIG = "application/vnd.buildkit.cacheconfig.v0";

/** The field of an image's configuration that holds the cache of the build that made it, base64. */
export const INLINE_FIELD = "moby.buildkit.cache.v0";

/** The annotation by which BuildKit's layers say what they hold. */
export const DIFF_ID_ANNOTATION = "containerd.io/uncompressed";

/** A layer of an exported cache: the blob as it is there, and what it holds. */
export interface CachedLayer {
  readonly descriptor: Descriptor;
  readonly diffId: Digest;
}

/** What an exported cache knows. */
export interface CacheContent {
  /** A step whose layer is not in the cache has one with the digest of a blob that is nowhere. */
  readonly steps: readonly CachedStep[];
  /** What was computed from layers, by key. */
  readonly facts: Readonly<Record<string, unknown>>;
}

export interface CachedStep {
  readonly record: Omit<StepRecord, "made" | "used" | "uses">;
  /** Where the layer can be had from; undefined when there is none, or it is not in the cache. */
  readonly blob: Descriptor | undefined;
}

/** What BuildKit's format has for a layer: `parent` is the place of the one below it, -1 for none. */
interface WireLayer {
  readonly blob: string;
  readonly parent: number;
  readonly annotations?: { readonly mediaType: string; readonly diffID: string; readonly size: number };
}

/**
 * A record of BuildKit's format. Its own keys are of its graphs of operations, so the two find nothing in each other's
 * caches; both read the documents. What it has no place for is in `boxship`, which it skips.
 */
interface WireRecord {
  readonly digest: string;
  readonly layers?: readonly { readonly layer: number; readonly createdAt: string }[];
  readonly boxship: WireStep | WireFacts;
}

interface WireStep {
  readonly text: string;
  readonly parent?: string;
  readonly created: string;
  readonly layer?: { readonly diffId: string; readonly chainId: string; readonly size: number };
}

interface WireFacts {
  readonly facts: Readonly<Record<string, unknown>>;
}

/**
 * Records of a cache.
 *
 * @param layerOf a step's layer among those that go along; undefined when it does not
 */
export function encodeRecords(
  steps: readonly CachedStep["record"][],
  facts: CacheContent["facts"],
  layerOf: (step: CachedStep["record"]) => number | undefined,
): readonly unknown[] {
  const records: WireRecord[] = steps.map((step) => {
    const { key, parent, text, created, layer } = step;
    const place = layer === undefined ? undefined : layerOf(step);
    return {
      digest: `sha256:${key}`,
      ...(place === undefined ? {} : { layers: [{ layer: place, createdAt: created }] }),
      boxship: {
        text,
        created,
        ...(parent === undefined ? {} : { parent }),
        ...(layer === undefined ? {} : { layer: { diffId: layer.diffId, chainId: layer.chainId, size: layer.size } }),
      },
    };
  });
  const extra: WireRecord = { digest: `sha256:${"0".repeat(64)}`, boxship: { facts } };
  return Object.keys(facts).length === 0 ? records : [...records, extra];
}

/** The document that a cache manifest has as its configuration. */
export function encodeCacheConfig(layers: readonly CachedLayer[], records: readonly unknown[]): Uint8Array {
  const wire = layers.map(
    ({ descriptor: { digest, mediaType, size }, diffId }): WireLayer => ({
      blob: digest,
      parent: -1,
      annotations: { mediaType, diffID: diffId, size },
    }),
  );
  return Buffer.from(JSON.stringify({ layers: wire, records }));
}

/**
 * Reads a cache's document. Records that are not ours say nothing to us; what is malformed is left out, as it may come
 * from anywhere.
 *
 * @param blobs descriptors by digest, as the manifest has them
 * @throws InvalidArgument for what is no such document
 */
export function decodeCacheConfig(bytes: Uint8Array, blobs: ReadonlyMap<string, Descriptor>): CacheContent {
  const { layers = [], records = [] } = objectOf(parse(bytes));
  if (!Array.isArray(layers) || !Array.isArray(records)) throw malformed("layers and records are no lists");
  const found = layers.map((layer: unknown): Descriptor | undefined => {
    const { blob } = objectOf(layer);
    return typeof blob === "string" ? blobs.get(blob) : undefined;
  });
  return decodeRecords(records, found);
}

/** The cache in an image's configuration; undefined when there is none. @throws InvalidArgument */
export function decodeInlineCache(config: Uint8Array, layers: readonly Descriptor[]): CacheContent | undefined {
  const field = objectOf(parse(config))[INLINE_FIELD];
  if (field === undefined || field === null) return undefined;
  if (typeof field !== "string") throw malformed(`${INLINE_FIELD} is no text`);
  const records = parse(Buffer.from(field, "base64"));
  if (!Array.isArray(records)) throw malformed(`${INLINE_FIELD} is no list`);
  return decodeRecords(records, layers);
}

/** What {@link INLINE_FIELD} holds. */
export function encodeInlineCache(records: readonly unknown[]): string {
  return Buffer.from(JSON.stringify(records)).toString("base64");
}

function decodeRecords(records: readonly unknown[], layers: readonly (Descriptor | undefined)[]): CacheContent {
  const steps: CachedStep[] = [];
  const facts: Record<string, unknown> = {};
  for (const record of records) {
    const { digest, boxship, layers: results } = objectOf(record);
    const own = objectOf(boxship);
    if (typeof own["facts"] === "object" && own["facts"] !== null) Object.assign(facts, textValues(own["facts"]));
    const key = typeof digest === "string" ? /^sha256:([0-9a-f]{64})$/.exec(digest)?.[1] : undefined;
    const step = key === undefined ? undefined : decodeStep(key, own, placeOf(results), layers);
    if (step !== undefined) steps.push(step);
  }
  return { steps, facts };
}

function decodeStep(
  key: string,
  own: Readonly<Record<string, unknown>>,
  place: number | undefined,
  layers: readonly (Descriptor | undefined)[],
): CachedStep | undefined {
  const { text, parent, created, layer } = own;
  if (typeof text !== "string" || typeof created !== "string" || Number.isNaN(Date.parse(created))) return undefined;
  const base = { key, text, created, ...(typeof parent === "string" ? { parent } : {}) };
  if (layer === undefined) return { record: base, blob: undefined };
  const { diffId, chainId, size } = objectOf(layer);
  if (typeof diffId !== "string" || !isDigest(diffId) || typeof chainId !== "string" || !isDigest(chainId))
    return undefined;
  if (!Number.isSafeInteger(size)) return undefined;
  const blob = place === undefined ? undefined : layers[place];
  const descriptor = blob ?? { mediaType: "application/vnd.oci.image.layer.v1.tar", digest: diffId, size: 0 };
  return { record: { ...base, layer: { descriptor, diffId, chainId, size: size as number } }, blob };
}

function placeOf(results: unknown): number | undefined {
  if (!Array.isArray(results)) return undefined;
  const { layer } = objectOf(results[0]);
  return typeof layer === "number" ? layer : undefined;
}

function textValues(value: object): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(value).filter(([key, item]) => /^[0-9a-f]{64}$/.test(key) && typeof item === "string"),
  ) as Readonly<Record<string, string>>;
}

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8"));
  } catch (cause) {
    throw new InvalidArgument("the cache's document is not JSON", { cause });
  }
}

function objectOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}

function malformed(problem: string): InvalidArgument {
  return new InvalidArgument(`the cache's document is malformed: ${problem}`);
}
