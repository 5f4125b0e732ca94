import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { makeTar, type TarEntry } from "@boxship/testkit";
import type { ContentStore } from "../content-store/contract.ts";
import { openContentStore } from "../content-store/filesystem.ts";
import type { Digest } from "../digest.ts";
import type { ImageRecord, ImageStore } from "../image-store/contract.ts";
import { openImageStore } from "../image-store/image-store.ts";
import { makeLayer } from "../layer/make/make-layer.ts";
import { unpackLayer } from "../layer/unpack.ts";
import { hostPlatform } from "../platform.ts";
import type { UnpackLayer } from "../pull/layer-pull.ts";
import { parseReference } from "../reference.ts";
import { loadImages } from "./load-images.ts";

/** A content store with images, and a place to unpack layers to. */
export interface ImageBench extends AsyncDisposable {
  readonly directory: string;
  readonly store: ContentStore;
  readonly images: ImageStore;
  /** Chain ids in the order in which their unpacking was started. */
  readonly unpacked: Digest[];
  readonly unpackLayer: UnpackLayer;
  /** Makes an image; each layer is a list of files, or text for one file. */
  image(tags: readonly string[], layers: readonly (string | readonly TarEntry[])[]): Promise<ImageRecord>;
  load(archive: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): ReturnType<typeof loadImages>;
}

export async function imageBench(): Promise<ImageBench> {
  const directory = await mkdtemp(join(tmpdir(), "boxship-images-"));
  const store = await openContentStore({ root: join(directory, "content") });
  const images = await openImageStore({ root: join(directory, "images"), content: store });
  const unpacked: Digest[] = [];
  const unpack: UnpackLayer = async (layer) => {
    unpacked.push(layer.chainId);
    const targetDirectory = await mkdtemp(join(directory, "layer-"));
    const { mediaType } = layer.descriptor;
    return unpackLayer({ ...layer, mediaType, targetDirectory, onProgress: ({ bytes }) => layer.onProgress(bytes) });
  };
  return {
    directory,
    store,
    images,
    unpacked,
    unpackLayer: unpack,
    async image(tags, layers) {
      using lease = store.lease();
      const made = [];
      for (const [index, layer] of layers.entries()) {
        const entries = typeof layer === "string" ? [{ name: `file-${index}`, content: layer }] : layer;
        const archive = Readable.from([makeTar(entries)]);
        made.push(await makeLayer({ source: { kind: "archive", archive }, store, lease }));
      }
      const { os, architecture } = hostPlatform();
      return images.addFromLayers({
        config: { os, architecture, config: { Cmd: ["true"], Labels: { unique: randomBytes(8).toString("hex") } } },
        layers: made,
        size: 1,
        tags: tags.map(parseReference),
        lease,
      });
    },
    async load(archive) {
      using lease = store.lease();
      const source = Readable.from(archive);
      return await loadImages({ archive: source, store, lease, unpackLayer: unpack, isUnpacked: () => false });
    },
    async [Symbol.asyncDispose]() {
      await images[Symbol.asyncDispose]();
      await store[Symbol.asyncDispose]();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
