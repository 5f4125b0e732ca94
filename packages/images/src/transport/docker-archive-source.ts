import { InvalidArgument, NotFound } from "@boxship/base";
import {
  type ArchivedFile,
  type ContentStore,
  checkDiffIds,
  type DockerArchiveEntry,
  decodeDockerManifest,
  decodeImageConfig,
  detectCompression,
  digestOf,
  formatReference,
  IMAGE_CONFIG_SIZE_LIMIT,
  lookUpFile,
  MediaType,
  type ReadArchive,
} from "@boxship/oci";
import { encodeDockerManifest } from "../copy/docker-manifest.ts";
import { decompressInto } from "../copy/layer-forms.ts";
import { openArchive } from "./archive-file.ts";
import type { ImageSource, RawManifest } from "./contract.ts";
import type { ArchiveSelection } from "./image-name.ts";

/**
 * An image of an archive in the form of `docker save`. It has no manifest of its own: one of Docker's kind is made of
 * what is there, with layers by their diff ids, as skopeo does.
 *
 * @throws NotFound; InvalidArgument for several images where none was chosen
 */
export async function dockerArchiveSource(
  source: string | AsyncIterable<Uint8Array>,
  select: ArchiveSelection,
  name: string,
): Promise<ImageSource> {
  const opened = await openArchive(source, "opening file");
  try {
    const { archive, store } = opened;
    const entry = choose(entriesOf(archive, name), select);
    const { manifest, files } = await describe(archive, store, entry);
    return {
      name,
      plainLayers: true,
      async manifest(digest) {
        if (digest !== undefined) throw new NotFound(`manifest ${digest} is not in ${name}`);
        return manifest;
      },
      async blob({ digest }) {
        return { path: await store.path(files.get(digest)?.digest ?? digest), owned: false };
      },
      [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose](),
    };
  } catch (error) {
    await opened[Symbol.asyncDispose]();
    throw error;
  }
}

/** Names of all images of an archive in the form of `docker save`. */
export async function dockerArchiveTags(path: string): Promise<readonly string[]> {
  await using opened = await openArchive(path, "opening file");
  return entriesOf(opened.archive, path).flatMap(({ tags }) => tags.map(formatReference));
}

function entriesOf({ documents }: ReadArchive, name: string): readonly DockerArchiveEntry[] {
  const document = documents.get("manifest.json");
  if (document !== undefined) return decodeDockerManifest(document);
  throw new InvalidArgument(`${name} is no archive of docker save: it has no manifest.json`);
}

function choose(entries: readonly DockerArchiveEntry[], select: ArchiveSelection): DockerArchiveEntry {
  const [first, ...others] = entries;
  switch (select.kind) {
    case "only":
      if (first === undefined) throw new NotFound("no image in the archive");
      if (others.length === 0) return first;
      throw new InvalidArgument(`Unexpected tar manifest.json: expected 1 item, got ${entries.length}`, {
        remedy: `choose one: ${entries.map(({ tags }, index) => (tags[0] === undefined ? `@${index}` : formatReference(tags[0]))).join(", ")}`,
      });
    case "index": {
      const entry = entries[select.index];
      if (entry !== undefined) return entry;
      throw new NotFound(`Invalid source index @${select.index}, only ${entries.length} manifest items available`);
    }
    case "tag": {
      const wanted = formatReference(select.reference);
      const entry = entries.find(({ tags }) => tags.some((tag) => formatReference(tag) === wanted));
      if (entry !== undefined) return entry;
      throw new NotFound(`Tag ${JSON.stringify(wanted)} not found`, { subject: { kind: "image", name: wanted } });
    }
    default:
      return select satisfies never;
  }
}

interface Described {
  readonly manifest: RawManifest;
  /** Files of layers by diff id. */
  readonly files: ReadonlyMap<string, ArchivedFile>;
}

async function describe(archive: ReadArchive, store: ContentStore, entry: DockerArchiveEntry): Promise<Described> {
  const config = lookUpFile(archive, entry.config);
  const bytes = await store.read(config.digest, { limit: IMAGE_CONFIG_SIZE_LIMIT });
  const { rootfs } = decodeImageConfig(bytes, `configuration ${config.digest} of the archive`);
  checkDiffIds("the archive", entry.layers, rootfs.diff_ids);
  const files = new Map<string, ArchivedFile>();
  const layers = [];
  for (const [index, name] of entry.layers.entries()) {
    const diffId = rootfs.diff_ids[index] ?? config.digest;
    const file = await plain(store, lookUpFile(archive, name));
    if (file.digest !== diffId) {
      throw new InvalidArgument(`layer ${name} of the archive has the digest ${file.digest} instead of ${diffId}`);
    }
    files.set(diffId, file);
    layers.push({ mediaType: MediaType.DockerLayerGzip, digest: diffId, size: file.size });
  }
  const descriptor = { mediaType: MediaType.DockerConfig, digest: config.digest, size: config.size };
  const manifest = encodeDockerManifest(descriptor, layers);
  return { manifest: { bytes: manifest, digest: digestOf(manifest), mediaType: MediaType.DockerManifest }, files };
}

/** Some archives hold compressed layers, which no descriptor could say. */
async function plain(store: ContentStore, file: ArchivedFile): Promise<ArchivedFile> {
  const compression = detectCompression(await store.read(file.digest, { length: 6 }));
  if (compression === "none") return file;
  return decompressInto(store, await store.path(file.digest));
}
