import { join } from "node:path";
import { FailedPrecondition } from "@boxship/base";
import {
  type ByteString,
  buildLayer,
  type Digest,
  decodeImageConfig,
  decodeManifest,
  digestOf,
  encodeImageConfig,
  IMAGE_CONFIG_SIZE_LIMIT,
  type ImageHistory,
  type ImageManifest,
  MediaType,
  packDirectory,
  tarEntry,
} from "@boxship/oci";
import { encodeInOrder } from "../copy/convert-manifest.ts";
import { readSmallFile, verifyFile } from "../transport/files.ts";
import { layoutDestination, readManifestFile } from "../transport/layout.ts";
import { inScratch, scratchFor } from "../transport/scratch.ts";
import { compareTrees, readTreeState } from "./tree-state.ts";
import { readOrigin, writeOrigin } from "./unpack-bundle.ts";

export interface RepackBundleRequest {
  /** The layout that the bundle was unpacked from. */
  readonly layout: string;
  /** Name that the new image gets. */
  readonly image: string;
  readonly bundle: string;
  /** Entry for the image's history. @default none is added */
  readonly history?: ImageHistory | undefined;
  /** RFC 3339; when the image was made. */
  readonly created: string;
  /** Paths whose changes do not count. @default [] */
  readonly masked?: readonly string[];
  /** Leave out what lies in the image's volumes. @default true */
  readonly maskVolumes?: boolean;
  /** Let the bundle stand for the new image from now on. @default false */
  readonly refresh?: boolean;
}

/**
 * Makes a new image of a bundle: the layers of the one that it was unpacked from, and one with what changed since; without
 * a change, no layer is added.
 *
 * @throws FailedPrecondition if the layout does not have that image any more
 */
export async function repackBundle(request: RepackBundleRequest): Promise<Digest> {
  const { layout, bundle, image, history, created, masked = [], maskVolumes = true } = request;
  const origin = await readOrigin(bundle);
  const rootfs = join(bundle, "rootfs");
  const base = await readBase(layout, origin.manifest);
  const volumes = maskVolumes ? Object.keys(base.config.config?.Volumes ?? {}) : [];
  const tree = await readTreeState(rootfs);
  const prefixes = [...masked, ...volumes].map((path) => path.replace(/^\/+|\/+$/g, ""));
  const { changed, removed } = compareTrees(origin.tree, tree, prefixes);
  await using destination = await layoutDestination({ path: layout, image });
  await using scratch = await scratchFor(destination);
  let { layers } = base.manifest;
  let diffIds = base.config.rootfs.diff_ids;
  if (changed.size + removed.length > 0) {
    const { store } = scratch;
    const built = await buildLayer({
      archive: packDirectory(rootfs),
      store,
      lease: store.lease(),
      rewrite: { keep: ({ name }) => changed.has(name.replace(/\/$/, "")), append: removed.map(whiteout) },
    });
    const { descriptor } = built;
    await destination.put(descriptor, inScratch(store, descriptor.digest));
    layers = [...layers, descriptor];
    diffIds = [...diffIds, built.diffId];
  }
  const config = encodeImageConfig({
    ...base.config,
    created,
    rootfs: { type: "layers", diff_ids: diffIds },
    ...(history !== undefined && { history: [...(base.config.history ?? []), history] }),
  });
  const stored = await scratch.store.put(config);
  await destination.put({ mediaType: MediaType.OciConfig, ...stored }, inScratch(scratch.store, stored.digest));
  const mediaType = MediaType.OciManifest;
  const bytes = encodeInOrder({
    ...base.manifest,
    mediaType,
    config: { mediaType: MediaType.OciConfig, ...stored },
    layers,
  });
  const digest = digestOf(bytes);
  await destination.putManifest({ bytes, digest, mediaType }, true);
  await destination.commit();
  if (request.refresh === true) await writeOrigin(bundle, { manifest: digest, tree });
  return digest;
}

async function readBase(layout: string, digest: Digest) {
  const blob = (wanted: Digest) => join(layout, "blobs", ...wanted.split(":"));
  try {
    const raw = await readManifestFile(blob(digest), digest, "");
    const manifest = decodeManifest(raw.bytes, { name: `manifest ${digest}` });
    if (manifest.kind === "index") throw new FailedPrecondition(`${digest} is an index, not an image`);
    await verifyFile(manifest.config, blob(manifest.config.digest));
    const bytes = await readSmallFile(blob(manifest.config.digest), IMAGE_CONFIG_SIZE_LIMIT);
    return { manifest: manifest satisfies ImageManifest, config: decodeImageConfig(bytes) };
  } catch (error) {
    throw new FailedPrecondition(`the layout ${layout} does not have the image that the bundle was unpacked from`, {
      cause: error,
      subject: { kind: "manifest", name: digest },
      remedy: "name the layout that the bundle was unpacked from",
    });
  }
}

function whiteout(path: string) {
  const slash = path.lastIndexOf("/") + 1;
  const name = `${path.slice(0, slash)}.wh.${path.slice(slash)}` as ByteString;
  return { entry: tarEntry({ type: "file", name, mode: 0o600 }) };
}
