import { NotFound } from "@boxship/base";
import type { Digest } from "../digest.ts";
import type { ImageConfig } from "../image-config.ts";
import type { ImageManifest } from "../manifest.ts";
import { familiarReference, formatReference, parseReference, type Reference, withDigest } from "../reference.ts";
import type { ImageRecord } from "./contract.ts";
import type { StoredManifest, StoreState } from "./state.ts";

/** The documents of a manifest, read once. */
export interface Documents {
  readonly manifest: ImageManifest;
  readonly config: ImageConfig;
}

/** What readers see of a state. */
export interface View {
  /** By id, the newest first. */
  readonly images: Map<Digest, ImageRecord>;
  readonly references: ReadonlySet<Digest>;
}

/** The key of a name: a tag says nothing beside a digest. */
export function nameKey(reference: Reference): string {
  return formatReference(reference.digest === undefined ? reference : withDigest(reference, reference.digest));
}

/** The manifest that stands for an image of several: the one that came last. */
export function newestManifest(manifests: Iterable<StoredManifest>, id: Digest): StoredManifest | undefined {
  let newest: StoredManifest | undefined;
  for (const manifest of manifests) {
    if (manifest.id === id && (newest === undefined || manifest.added >= newest.added)) newest = manifest;
  }
  return newest;
}

export function noSuchImage(name: string): NotFound {
  return new NotFound(`No such image: ${name}`, { subject: { kind: "image", name } });
}

export function makeView(state: StoreState, documents: ReadonlyMap<Digest, Documents>): View {
  const references = new Set<Digest>();
  const byId = new Map<Digest, StoredManifest>();
  for (const stored of state.manifests.values()) {
    const known = byId.get(stored.id);
    if (known === undefined || stored.added >= known.added) byId.set(stored.id, stored);
    for (const { digest } of [stored.descriptor, ...stored.indexes]) references.add(digest);
    const manifest = documents.get(stored.descriptor.digest)?.manifest;
    for (const { digest } of manifest === undefined ? [] : [manifest.config, ...manifest.layers])
      references.add(digest);
  }
  const names = namesById(state);
  const newestFirst = [...byId.values()].sort((a, b) => b.added - a.added);
  const images = new Map<Digest, ImageRecord>();
  for (const stored of newestFirst) {
    const found = documents.get(stored.descriptor.digest);
    if (found !== undefined) images.set(stored.id, makeRecord(stored, found, names.get(stored.id) ?? []));
  }
  return { images, references };
}

function namesById(state: StoreState): ReadonlyMap<Digest, readonly Reference[]> {
  const names = new Map<Digest, Reference[]>();
  for (const [name, digest] of state.names) {
    const id = state.manifests.get(digest)?.id;
    if (id === undefined) continue;
    const list = names.get(id) ?? [];
    list.push(parseReference(name));
    names.set(id, list);
  }
  return names;
}

function makeRecord(stored: StoredManifest, documents: Documents, names: readonly Reference[]): ImageRecord {
  const { manifest, config } = documents;
  const shown = new Map(names.map((name) => [familiarReference(name), name]));
  const sorted = [...shown].sort(([a], [b]) => (a < b ? -1 : 1));
  const withTag = sorted.filter(([, name]) => name.digest === undefined);
  const parts = [stored.descriptor, manifest.config, ...manifest.layers];
  return {
    id: stored.id,
    repoTags: withTag.map(([text]) => text),
    repoDigests: sorted.filter(([, name]) => name.digest !== undefined).map(([text]) => text),
    tags: withTag.map(([, name]) => name),
    manifest: stored.descriptor,
    indexes: stored.indexes,
    layers: manifest.layers,
    config,
    size: stored.size,
    contentSize: parts.reduce((sum, part) => sum + part.size, 0),
    added: stored.added,
    lastUsed: stored.lastUsed,
  };
}
