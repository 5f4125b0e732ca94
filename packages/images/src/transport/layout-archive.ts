import { dirname } from "node:path";
import { InvalidArgument } from "@boxship/base";
import {
  bytesOf,
  type ContentStore,
  type Descriptor,
  type Digest,
  digestAlgorithm,
  MANIFEST_SIZE_LIMIT,
  MediaType,
  type TarInput,
  tarEntry,
} from "@boxship/oci";
import { openArchive, writeArchiveFile } from "./archive-file.ts";
import { CollectedBlobs, memberOf } from "./collected-blobs.ts";
import type { ImageDestination, ImageSource, RawManifest } from "./contract.ts";
import { hexOf } from "./files.ts";
import {
  decodeIndex,
  EMPTY_INDEX,
  encodeIndex,
  findEntry,
  LAYOUT,
  type LayoutIndex,
  withEntry,
} from "./layout-index.ts";
import { openWorkspace } from "./workspace.ts";

/** A manifest of a content store. */
export async function readStored(store: ContentStore, digest: Digest, mediaType: string): Promise<RawManifest> {
  return { bytes: await store.read(digest, { limit: MANIFEST_SIZE_LIMIT }), digest, mediaType };
}

/** An image of an OCI image layout in an archive. @param name for messages */
export async function layoutArchiveSource(
  source: string | AsyncIterable<Uint8Array>,
  image: string,
  name: string,
): Promise<ImageSource> {
  const opened = await openArchive(source);
  try {
    const document = opened.archive.documents.get("index.json");
    if (document === undefined) throw new InvalidArgument(`${name} is no OCI image layout: it has no index.json`);
    const entry = findEntry(decodeIndex(document, `index.json of ${name}`), image);
    const { store } = opened;
    return {
      name,
      manifest: (digest) => readStored(store, digest ?? entry.digest, digest === undefined ? entry.mediaType : ""),
      blob: async ({ digest }) => ({ path: await store.path(digest), owned: false }),
      [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose](),
    };
  } catch (error) {
    await opened[Symbol.asyncDispose]();
    throw error;
  }
}

/** An archive of an OCI image layout that is made anew. */
export async function layoutArchiveDestination(path: string, image: string): Promise<ImageDestination> {
  const workspace = await openWorkspace(dirname(path));
  const layout = new LayoutMembers();
  return {
    name: image === "" ? `oci-archive:${path}` : `oci-archive:${path}:${image}`,
    accepts: [MediaType.OciManifest, MediaType.OciIndex],
    layers: "compressed",
    scratch: { directory: workspace.path, moved: false },
    put: (descriptor, content) => layout.blobs.put(descriptor, content),
    putManifest: async (manifest, top) => layout.putManifest(manifest, top),
    async commit() {
      const { top } = layout;
      if (top === undefined) return;
      await writeArchiveFile(path, workspace.path, layout.members(withEntry(EMPTY_INDEX, top, image)));
    },
    [Symbol.asyncDispose]: () => workspace[Symbol.asyncDispose](),
  };
}

/** A layout that becomes an archive. */
export class LayoutMembers {
  readonly blobs = new CollectedBlobs();
  /** What the image's name stands for. */
  top: Descriptor | undefined;

  putManifest({ bytes, digest, mediaType }: RawManifest, top: boolean): void {
    const descriptor = { mediaType, digest, size: bytes.byteLength };
    this.blobs.putBytes(descriptor, bytes);
    if (top) this.top = descriptor;
  }

  /** The layout's files in order, with no times: the same images give the same archive. */
  async *members(index: LayoutIndex): AsyncGenerator<TarInput> {
    yield { entry: tarEntry({ type: "directory", name: bytesOf("blobs") }) };
    let last = "";
    for (const digest of this.blobs.digests) {
      const algorithm = digestAlgorithm(digest);
      if (algorithm !== last) yield { entry: tarEntry({ type: "directory", name: bytesOf(`blobs/${algorithm}`) }) };
      last = algorithm;
      yield this.blobs.member(digest, `blobs/${algorithm}/${hexOf(digest)}`);
    }
    yield memberOf("index.json", encodeIndex(index));
    yield memberOf("oci-layout", LAYOUT);
  }
}
