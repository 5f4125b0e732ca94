import { createReadStream } from "node:fs";
import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { InvalidArgument } from "@boxship/base";
import { bytesOf, type ContentStore, type Digest, MANIFEST_SIZE_LIMIT, type TarInput, tarEntry } from "@boxship/oci";
import { openArchive, writeArchiveFile } from "./archive-file.ts";
import type { ImageDestination, ImageSource, RawManifest } from "./contract.ts";
import { layoutDestination } from "./layout.ts";
import { decodeIndex, findEntry } from "./layout-index.ts";

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
  const directory = await mkdtemp(join(dirname(path), ".boxship-images-"));
  const layout = await layoutDestination({ path: directory, image });
  return {
    ...layout,
    name: image === "" ? `oci-archive:${path}` : `oci-archive:${path}:${image}`,
    async commit() {
      await layout.commit();
      await writeArchiveFile(path, layoutFiles(directory));
    },
    async [Symbol.asyncDispose]() {
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** A layout's files in order, with no times: the same images give the same archive. */
export async function* layoutFiles(directory: string): AsyncGenerator<TarInput> {
  const blobs = join(directory, "blobs");
  yield { entry: tarEntry({ type: "directory", name: bytesOf("blobs") }) };
  for (const algorithm of (await readdir(blobs)).sort()) {
    yield { entry: tarEntry({ type: "directory", name: bytesOf(`blobs/${algorithm}`) }) };
    for (const hex of (await readdir(join(blobs, algorithm))).sort()) {
      yield await fileInput(join(blobs, algorithm, hex), `blobs/${algorithm}/${hex}`);
    }
  }
  yield await fileInput(join(directory, "index.json"), "index.json");
  yield await fileInput(join(directory, "oci-layout"), "oci-layout");
}

/** A file as a member of an archive. */
export async function fileInput(path: string, name: string): Promise<TarInput> {
  const { size } = await stat(path);
  return {
    entry: tarEntry({ type: "file", name: bytesOf(name), size }),
    body: createReadStream(path, { highWaterMark: 1 << 20 }),
  };
}
