import { finished, Readable } from "node:stream";
import { FailedPrecondition } from "@boxship/base";
import type { ContentStore } from "../content-store/contract.ts";
import { type Descriptor, encodeDescriptor } from "../descriptor.ts";
import { type Digest, digestAlgorithm, digestHex } from "../digest.ts";
import { decodeImageConfig, type ImageConfig } from "../image-config.ts";
import { bytesOf } from "../layer/tar/bytes.ts";
import { END_OF_ARCHIVE, encodeHeader, tarEntry } from "../layer/tar/encoder.ts";
import { paddingOf } from "../layer/tar/entry.ts";
import { decodeManifest, type ImageManifest, MANIFEST_SIZE_LIMIT } from "../manifest.ts";
import { MediaType } from "../media-types.ts";
import { familiarName, familiarReference, formatReference, type Reference } from "../reference.ts";

export interface SaveRequest {
  readonly store: ContentStore;
  readonly images: readonly ImageToSave[];
  /** Indexes that go whole. @default [] */
  readonly indexes?: readonly IndexToSave[];
}

export interface IndexToSave {
  readonly index: Descriptor;
  readonly tags: readonly Reference[];
  /** Of its images. */
  readonly manifests: readonly Descriptor[];
  /** What else hangs on it. */
  readonly blobs: readonly Descriptor[];
}

export interface ImageToSave {
  readonly manifest: Descriptor;
  /** Names with a tag that the archive gives it. */
  readonly tags: readonly Reference[];
}

/** An image with its documents. */
interface Documents extends ImageToSave {
  readonly document: ImageManifest;
  readonly config: ImageConfig;
}

/** The name under which containerd, and Docker since 25, find an image in a layout. */
const IMAGE_NAME = "io.containerd.image.name";
const REF_NAME = "org.opencontainers.image.ref.name";

/**
 * Images as one archive in the form that Docker writes since 25: an OCI image layout (image-layout.md) that also has the
 * `manifest.json` and `repositories` of older Dockers. Blobs are the stored ones, layers stay compressed as they are; the
 * same images always give the same bytes.
 *
 * The content cannot be swept while the stream is open.
 *
 * @throws FailedPrecondition if a blob is missing
 */
export async function saveImages(request: SaveRequest): Promise<Readable> {
  const { store } = request;
  const lease = store.lease();
  try {
    const images: Documents[] = [];
    const blobs = new Map<Digest, Descriptor>();
    for (const image of request.images) {
      const documents = await readImage(store, image);
      images.push(documents);
      for (const part of [image.manifest, documents.document.config, ...documents.document.layers]) {
        lease.add(part.digest);
        blobs.set(part.digest, part);
      }
    }
    const { indexes = [] } = request;
    for (const whole of indexes) {
      const inner = await Promise.all(whole.manifests.map((manifest) => readImage(store, { manifest, tags: [] })));
      const documents = inner.flatMap(({ document }) => [document.config, ...document.layers]);
      for (const part of [whole.index, ...whole.manifests, ...whole.blobs, ...documents]) {
        lease.add(part.digest);
        blobs.set(part.digest, part);
      }
    }
    for (const blob of blobs.values()) await requireBlob(store, blob);
    const roots = [
      ...images.map(({ manifest, tags }) => ({ root: manifest, tags })),
      ...indexes.map(({ index, tags }) => ({ root: index, tags })),
    ];
    const stream = Readable.from(writeArchive(store, [...blobs.values()], images, roots), { objectMode: false });
    finished(stream, () => lease[Symbol.dispose]());
    return stream;
  } catch (error) {
    lease[Symbol.dispose]();
    throw error;
  }
}

async function readImage(store: ContentStore, image: ImageToSave): Promise<Documents> {
  const { digest, mediaType } = image.manifest;
  const bytes = await store.read(digest, { limit: MANIFEST_SIZE_LIMIT });
  const document = decodeManifest(bytes, { mediaType, name: `manifest ${digest}` });
  if (document.kind === "index") throw new FailedPrecondition(`${digest} is an index, not the manifest of an image`);
  const config = decodeImageConfig(await store.read(document.config.digest), `configuration ${document.config.digest}`);
  return { ...image, document, config };
}

async function requireBlob(store: ContentStore, { digest, size }: Descriptor): Promise<void> {
  const found = await store.stat(digest);
  if (found?.size === size) return;
  const problem = found === undefined ? "is not in the content store" : `has ${found.size} bytes instead of ${size}`;
  throw new FailedPrecondition(`blob ${digest} of the image ${problem}`, { subject: { kind: "blob", name: digest } });
}

async function* writeArchive(
  store: ContentStore,
  blobs: readonly Descriptor[],
  images: readonly Documents[],
  roots: readonly Root[],
): AsyncGenerator<Buffer> {
  yield directory("blobs");
  const algorithms = [...new Set(blobs.map(({ digest }) => digestAlgorithm(digest)))].sort();
  for (const algorithm of algorithms) yield directory(`blobs/${algorithm}`);
  for (const blob of blobs.toSorted((a, b) => (a.digest < b.digest ? -1 : 1))) yield* writeBlob(store, blob);
  yield* jsonFile("index.json", layoutIndex(roots));
  if (images.length > 0) yield* jsonFile("manifest.json", dockerManifest(images));
  yield* jsonFile("oci-layout", { imageLayoutVersion: "1.0.0" });
  const repositories = legacyRepositories(images);
  if (Object.keys(repositories).length > 0) yield* jsonFile("repositories", repositories);
  yield END_OF_ARCHIVE;
}

function directory(name: string): Buffer {
  return encodeHeader(tarEntry({ type: "directory", name: bytesOf(name) })).header;
}

function* jsonFile(name: string, content: unknown): Generator<Buffer> {
  const bytes = Buffer.from(JSON.stringify(content));
  yield fileHeader(name, bytes.length);
  yield bytes;
  yield Buffer.alloc(paddingOf(bytes.length));
}

function fileHeader(name: string, size: number): Buffer {
  return encodeHeader(tarEntry({ type: "file", name: bytesOf(name), size })).header;
}

async function* writeBlob(store: ContentStore, { digest, size }: Descriptor): AsyncGenerator<Buffer> {
  await using reader = await store.open(digest);
  yield fileHeader(blobName(digest), size);
  let written = 0;
  for await (const { buffer, byteOffset, byteLength } of reader.chunks()) {
    written += byteLength;
    yield Buffer.from(buffer, byteOffset, byteLength);
  }
  if (written !== size) throw new FailedPrecondition(`blob ${digest} has ${written} bytes instead of ${size}`);
  const padding = paddingOf(size);
  if (padding > 0) yield Buffer.alloc(padding);
}

/** Where a blob is in a layout. */
export function blobName(digest: Digest): string {
  return `blobs/${digestAlgorithm(digest)}/${digestHex(digest)}`;
}

/** What a name in a layout stands for. */
interface Root {
  readonly root: Descriptor;
  readonly tags: readonly Reference[];
}

function layoutIndex(roots: readonly Root[]): unknown {
  const manifests = roots.flatMap(({ root: { mediaType, digest, size }, tags }) => {
    const plain = encodeDescriptor({ mediaType, digest, size });
    if (tags.length === 0) return [plain];
    return tags.map((name) => ({
      ...plain,
      annotations: { [IMAGE_NAME]: formatReference(name), [REF_NAME]: name.tag ?? "latest" },
    }));
  });
  return { schemaVersion: 2, mediaType: MediaType.OciIndex, manifests };
}

function dockerManifest(images: readonly Documents[]): unknown {
  return images.map(({ document: { config, layers }, tags }) => ({
    Config: blobName(config.digest),
    RepoTags: tags.length === 0 ? null : tags.map(familiarReference),
    Layers: layers.map(({ digest }) => blobName(digest)),
  }));
}

/** For Dockers before 1.10: names to the id of the top layer. */
function legacyRepositories(images: readonly Documents[]): Readonly<Record<string, Readonly<Record<string, string>>>> {
  const repositories: Record<string, Record<string, string>> = {};
  for (const { tags, config } of images) {
    const top = config.rootfs.diff_ids.at(-1);
    for (const name of tags) {
      const tagsOf = (repositories[familiarName(name)] ??= {});
      if (top !== undefined) tagsOf[name.tag ?? "latest"] = digestHex(top);
    }
  }
  return repositories;
}
