import { randomBytes } from "node:crypto";
import { errorMessage, InvalidArgument, NotFound } from "@boxship/base";
import {
  type Descriptor,
  type Digest,
  decodeManifest,
  digestOf,
  familiarReference,
  hostPlatform,
  type ImageManifest,
  isDigest,
  MANIFEST_SIZE_LIMIT,
  parseReference,
  selectManifests,
  withDefaultTag,
  withDigest,
} from "@boxship/oci";
import type { CacheImport, CacheStore } from "../contract.ts";
import { registryCredentials } from "../solver/base-image.ts";
import { keyOf } from "../solver/keys.ts";
import type { BuildSession } from "../solver/session.ts";
import { CACHE_CONFIG, type CacheContent, decodeCacheConfig, decodeInlineCache } from "./cache-document.ts";
import type { CacheSource } from "./imported-cache.ts";

/** Where documents of a cache are read from. */
export interface Reader {
  readonly name: string;
  /** A manifest or index; without a digest the one that the cache stands for. */
  readonly manifest: (digest?: Digest) => Promise<{ readonly bytes: Uint8Array; readonly mediaType: string }>;
  readonly document: (descriptor: Descriptor) => Promise<Uint8Array>;
  readonly fetch: CacheSource["fetch"];
}

const LARGEST_DOCUMENT = 64 << 20;

/** Reads the caches that a build is to use. One that cannot be had makes no difference but a warning. */
export async function importCaches(session: BuildSession): Promise<void> {
  const { cacheFrom = [], noCache } = session.request;
  if (noCache === true) return;
  const elsewhere = cacheFrom.filter((wanted) => wanted.kind !== "image");
  const sources = await Promise.all(elsewhere.map((wanted, index) => importOne(session, wanted, index)));
  for (const source of sources) if (source !== undefined) session.imported.add(source);
}

async function importOne(
  session: BuildSession,
  wanted: Exclude<CacheImport, { readonly kind: "image" }>,
  index: number,
): Promise<CacheSource | undefined> {
  const name = wanted.kind === "registry" ? wanted.reference : wanted.name;
  const vertex = `sha256:${keyOf("import cache", index, name)}`;
  session.announce({ digest: vertex, inputs: [], name: `importing cache manifest from ${name}` });
  session.emit({ kind: "started", vertex, time: session.now() });
  try {
    const reader = wanted.kind === "registry" ? await registryReader(session, name) : storeReader(session, wanted);
    const content = await readCache(reader);
    session.emit({ kind: "completed", vertex, time: session.now(), cached: false });
    return { name, content, fetch: reader.fetch };
  } catch (error) {
    session.signal.throwIfAborted();
    const message = errorMessage(error);
    session.emit({ kind: "failed", vertex, time: session.now(), error: message });
    session.warnings.push({ rule: "CacheImport", message: `cache ${name} is not used: ${message}` });
    return undefined;
  }
}

/** A cache manifest of either form, or an image that brings its own. */
async function readCache(reader: Reader): Promise<CacheContent> {
  const { bytes, mediaType } = await reader.manifest();
  const root = decodeManifest(bytes, { mediaType, name: `manifest of ${reader.name}` });
  if (root.kind === "manifest") return readManifest(reader, root);
  const config = root.manifests.find((entry) => entry.mediaType === CACHE_CONFIG);
  if (config !== undefined) return decodeCacheConfig(await reader.document(config), byDigest(root.manifests));
  const [chosen] = selectManifests(root, hostPlatform());
  const inner = await reader.manifest(chosen.digest);
  const manifest = decodeManifest(inner.bytes, { mediaType: inner.mediaType, name: `manifest ${chosen.digest}` });
  if (manifest.kind === "index") throw new InvalidArgument(`${reader.name} is an index of indexes`);
  return readManifest(reader, manifest);
}

async function readManifest(reader: Reader, { config, layers }: ImageManifest): Promise<CacheContent> {
  const document = await reader.document(config);
  if (config.mediaType === CACHE_CONFIG) return decodeCacheConfig(document, byDigest(layers));
  const inline = decodeInlineCache(document, layers);
  if (inline !== undefined) return inline;
  throw new NotFound(`${reader.name} is an image without a cache`, {
    remedy: "build it with --cache-to type=inline",
  });
}

function byDigest(descriptors: readonly Descriptor[]): ReadonlyMap<string, Descriptor> {
  return new Map(descriptors.map((descriptor) => [descriptor.digest, descriptor]));
}

async function registryReader(session: BuildSession, text: string): Promise<Reader> {
  const { client, content: store } = session.parts.engine.images;
  const reference = withDefaultTag(parseReference(text));
  const options = { ...(await registryCredentials(session, reference)), signal: session.signal };
  return {
    name: familiarReference(reference),
    manifest: (digest) => client.manifest(digest === undefined ? reference : withDigest(reference, digest), options),
    document: (descriptor) => client.readBlob(reference, descriptor, options),
    fetch: (descriptor, signal) => client.fetchBlob({ ...options, reference, descriptor, store, signal }),
  };
}

/** Reads documents and blobs of a layout, each verified. */
export function storeReader(
  session: BuildSession,
  { name, store }: { readonly name: string; readonly store: CacheStore },
): Reader {
  const document = async (digest: Digest, limit: number) => {
    const pieces: Uint8Array[] = [];
    let size = 0;
    for await (const piece of store.read(digest, session.signal)) {
      size += piece.length;
      if (size > limit) throw new InvalidArgument(`${digest} in ${name} is too large for a document`);
      pieces.push(piece);
    }
    const bytes = Buffer.concat(pieces);
    if (digestOf(bytes) !== digest) throw new InvalidArgument(`${digest} in ${name} is corrupt`);
    return bytes;
  };
  return {
    name,
    manifest: async (digest) => {
      const root = digest ?? (await store.root());
      if (root === undefined) throw new NotFound(`${name} has no cache under that tag`);
      if (!isDigest(root)) throw new InvalidArgument(`${name} names ${JSON.stringify(root)}, which is no digest`);
      return { bytes: await document(root, MANIFEST_SIZE_LIMIT), mediaType: "" };
    },
    document: ({ digest }) => document(digest, LARGEST_DOCUMENT),
    fetch: async ({ digest, size }, signal) => {
      const key = `cache ${randomBytes(12).toString("hex")}`;
      const ingest = await session.parts.engine.images.content.ingest({ key, digest, size });
      try {
        for await (const piece of store.read(digest, signal)) await ingest.write(piece);
        await ingest.commit();
      } catch (error) {
        await ingest.abort();
        throw error;
      }
    },
  };
}
