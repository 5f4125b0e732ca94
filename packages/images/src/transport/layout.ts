import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { InvalidArgument, writeFileAtomic } from "@boxship/base";
import { type Descriptor, type Digest, digestAlgorithm, digestOf, MediaType } from "@boxship/oci";
import type { ImageDestination, ImageSource, RawManifest } from "./contract.ts";
import { FileDirectories, hasFile, hexOf, placeContent, readSmallFile } from "./files.ts";
import { findEntry, readIndex, readPresentIndex, withEntry, writeIndex } from "./layout-index.ts";
import { openWorkspace } from "./workspace.ts";

export interface LayoutOptions {
  readonly path: string;
  /** Name in the layout; empty for the only image, or for one without a name. */
  readonly image: string;
  /** Directory of blobs that several layouts share. @default the layout's own */
  readonly sharedBlobs?: string | undefined;
}

function blobPath({ path, sharedBlobs }: LayoutOptions, digest: Digest): string {
  return join(sharedBlobs ?? join(path, "blobs"), digestAlgorithm(digest), hexOf(digest));
}

/** A manifest from its file, verified. */
export async function readManifestFile(path: string, digest: Digest, mediaType: string): Promise<RawManifest> {
  const bytes = await readSmallFile(path);
  const actual = digestOf(bytes, digestAlgorithm(digest));
  if (actual === digest) return { bytes, digest, mediaType };
  throw new InvalidArgument(`manifest ${digest} is damaged: its digest is ${actual}`, {
    subject: { kind: "manifest", name: digest },
  });
}

/** An image of an OCI image layout in a directory. @throws NotFound */
export async function layoutSource(options: LayoutOptions): Promise<ImageSource> {
  const { path, image } = options;
  const entry = findEntry(await readPresentIndex(path), image);
  return {
    name: image === "" ? `oci:${path}` : `oci:${path}:${image}`,
    manifest: (digest) =>
      digest === undefined
        ? readManifestFile(blobPath(options, entry.digest), entry.digest, entry.mediaType)
        : readManifestFile(blobPath(options, digest), digest, ""),
    blob: (descriptor) => Promise.resolve({ path: blobPath(options, descriptor.digest), owned: false }),
    async [Symbol.asyncDispose]() {},
  };
}

export interface LayoutDestinationOptions extends LayoutOptions {
  /** Leave layers as they are. @default false: what is not compressed is compressed */
  readonly keepPlainLayers?: boolean | undefined;
}

/** A name in an OCI image layout, which is made where there is none. */
export async function layoutDestination(options: LayoutDestinationOptions): Promise<ImageDestination> {
  const { path, image, sharedBlobs, keepPlainLayers = false } = options;
  await mkdir(join(path, "blobs"), { recursive: true });
  if (sharedBlobs !== undefined) await mkdir(sharedBlobs, { recursive: true });
  const workspace = await openWorkspace(sharedBlobs ?? path);
  const directories = new FileDirectories();
  let top: Descriptor | undefined;
  return {
    name: image === "" ? `oci:${path}` : `oci:${path}:${image}`,
    accepts: [MediaType.OciManifest, MediaType.OciIndex],
    layers: keepPlainLayers ? "as they are" : "compressed",
    scratch: { directory: workspace.path, moved: true },
    async put(descriptor, content) {
      const target = blobPath(options, descriptor.digest);
      await directories.make(target);
      if (await hasFile(descriptor, target)) return "present";
      await placeContent({ descriptor, content, to: target, temporaryDirectory: workspace.path, directories });
      return "copied";
    },
    async putManifest({ bytes, digest, mediaType }, isTop) {
      const target = blobPath(options, digest);
      await directories.make(target);
      const temporaryDirectory = workspace.path;
      await writeFileAtomic(target, bytes, { mode: 0o644, temporaryDirectory, leaveDirectory: true, writeHere: true });
      if (isTop) top = { mediaType, digest, size: bytes.byteLength };
    },
    async commit() {
      const temporaryDirectory = sharedBlobs === undefined ? workspace.path : undefined;
      await directories.sync();
      if (top !== undefined) await writeIndex(path, withEntry(await readIndex(path), top, image), temporaryDirectory);
    },
    [Symbol.asyncDispose]: () => workspace[Symbol.asyncDispose](),
  };
}
