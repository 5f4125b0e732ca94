import { InvalidArgument, NotFound } from "@boxship/base";
import type { ContentStore, Lease } from "../content-store/contract.ts";
import type { Descriptor } from "../descriptor.ts";
import { type Digest, isDigest } from "../digest.ts";
import { configPlatform, decodeImageConfig, IMAGE_CONFIG_SIZE_LIMIT, type ImageConfig } from "../image-config.ts";
import { detectCompression } from "../layer/compression.ts";
import {
  checkDiffIds,
  decodeManifest,
  encodeManifest,
  type ImageIndex,
  MANIFEST_SIZE_LIMIT,
  type Manifest,
} from "../manifest.ts";
import {
  isImageConfigMediaType,
  isIndexMediaType,
  isManifestMediaType,
  layerCompression,
  MediaType,
} from "../media-types.ts";
import { formatPlatform, hostPlatform, type Platform, platformRank } from "../platform.ts";
import { familiarReference, type Reference } from "../reference.ts";
import {
  checkLayoutVersion,
  type DockerArchiveEntry,
  decodeDockerManifest,
  decodeLayoutIndex,
} from "./archive-index.ts";
import { lookUpFile, type ReadArchive } from "./read-archive.ts";

export interface FindImagesRequest {
  readonly archive: ReadArchive;
  readonly store: ContentStore;
  readonly lease: Lease;
  /** @default this machine's where there is a choice, else what there is */
  readonly platform?: Platform | undefined;
}

/** An image of an archive; all its content is in the store. */
export interface ArchivedImage {
  readonly manifest: Descriptor;
  readonly indexes: readonly Descriptor[];
  /** Digest of the configuration. */
  readonly id: Digest;
  readonly config: ImageConfig;
  /** Bottom first. */
  readonly layers: readonly Descriptor[];
  readonly tags: readonly Reference[];
}

const INDEX_DEPTH = 4;

/**
 * The images in an archive: of an OCI image layout, or of the form that `docker save` wrote before 25. Where it is both
 * the layout counts, as it keeps the images' manifests.
 *
 * @throws InvalidArgument if it is neither, malformed, or lacks something; NotFound if no image is for the platform
 */
export async function findImages(request: FindImagesRequest): Promise<readonly ArchivedImage[]> {
  const { documents } = request.archive;
  const [layout, index, manifest] = ["oci-layout", "index.json", "manifest.json"].map((name) => documents.get(name));
  const docker = manifest === undefined ? [] : decodeDockerManifest(manifest);
  if (layout !== undefined && index !== undefined) {
    checkLayoutVersion(layout);
    return new LayoutFinder(request).run(index, docker);
  }
  if (manifest === undefined) {
    throw new InvalidArgument("the archive holds no images: it has neither a manifest.json nor an index.json", {
      remedy: "a file system, as `export` writes it, becomes an image with: boxship import",
    });
  }
  const images: ArchivedImage[] = [];
  for (const entry of docker) images.push(await dockerImage(request, entry));
  return ofPlatform(request, images);
}

/** Those for the platform that was asked for. */
function ofPlatform(request: FindImagesRequest, images: readonly ArchivedImage[]): readonly ArchivedImage[] {
  const { platform } = request;
  if (images.length === 0) throw new InvalidArgument("the archive holds no images");
  if (platform === undefined) return images;
  const wanted = images.filter(({ config }) => platformRank(platform, configPlatform(config)) !== undefined);
  if (wanted.length > 0) return wanted;
  const offered = [...new Set(images.map(({ config }) => formatPlatform(configPlatform(config))))];
  throw new NotFound(`the archive holds no image for ${formatPlatform(platform)}`, {
    subject: { kind: "platform", name: formatPlatform(platform) },
    remedy: `it holds: ${offered.join(", ")}`,
  });
}

async function readConfig(store: ContentStore, digest: Digest): Promise<ImageConfig> {
  const bytes = await store.read(digest, { limit: IMAGE_CONFIG_SIZE_LIMIT });
  return decodeImageConfig(bytes, `configuration ${digest}`);
}

// ── The older form ──────────────────────────────────────────────────────────────────────────────────────────────────

/** Old archives have no manifests of the registries' kind: one is made of what is there. */
async function dockerImage(request: FindImagesRequest, entry: DockerArchiveEntry): Promise<ArchivedImage> {
  const { archive, store, lease } = request;
  const configFile = lookUpFile(archive, entry.config);
  checkConfigName(entry.config, configFile.digest);
  if (configFile.size > IMAGE_CONFIG_SIZE_LIMIT) {
    throw new InvalidArgument(`configuration ${entry.config} of the archive is too large: ${configFile.size} bytes`);
  }
  const config = await readConfig(store, configFile.digest);
  const files = entry.layers.map((name) => lookUpFile(archive, name));
  checkDiffIds(`image ${configFile.digest} in the archive`, files, config.rootfs.diff_ids);
  const layers: Descriptor[] = [];
  for (const { digest, size } of files) layers.push({ mediaType: await layerType(store, digest), digest, size });
  const bytes = encodeManifest({
    kind: "manifest",
    mediaType: MediaType.OciManifest,
    config: { mediaType: MediaType.OciConfig, ...configFile },
    layers,
  });
  const manifest = await store.put(bytes);
  lease.add(manifest.digest);
  return {
    manifest: { mediaType: MediaType.OciManifest, ...manifest },
    indexes: [],
    id: configFile.digest,
    config,
    layers,
    tags: entry.tags,
  };
}

/** A configuration is named by its digest, which is the image's id. */
function checkConfigName(name: string, digest: Digest): void {
  const hex = /^(?:.*\/)?([0-9a-f]{64})(?:\.json)?$/.exec(name)?.[1];
  if (hex === undefined || digest === `sha256:${hex}`) return;
  throw new InvalidArgument(`configuration ${name} of the archive has the digest ${digest}`, {
    subject: { kind: "image", name: `sha256:${hex}` },
  });
}

async function layerType(store: ContentStore, digest: Digest): Promise<string> {
  const compression = detectCompression(await store.read(digest, { length: 6 }));
  if (compression === "none") return MediaType.OciLayer;
  return compression === "gzip" ? MediaType.OciLayerGzip : MediaType.OciLayerZstd;
}

// ── Layouts ─────────────────────────────────────────────────────────────────────────────────────────────────────────

class LayoutFinder {
  readonly #request: FindImagesRequest;

  constructor(request: FindImagesRequest) {
    this.#request = request;
  }

  async run(index: Uint8Array, docker: readonly DockerArchiveEntry[]): Promise<readonly ArchivedImage[]> {
    const images = new Map<Digest, ArchivedImage>();
    for (const { descriptor, name } of decodeLayoutIndex(index)) {
      const image = await this.#image(descriptor, []);
      if (image === undefined) continue;
      const known = images.get(image.manifest.digest);
      const tags = [...(known?.tags ?? []), ...(name === undefined ? [] : [name])];
      images.set(image.manifest.digest, { ...image, indexes: known?.indexes ?? image.indexes, tags });
    }
    return ofPlatform(
      this.#request,
      [...images.values()].map((image) => withDockerNames(image, docker)),
    );
  }

  /** The image of a manifest or index; undefined for what is none: signatures, provenance, other artifacts. */
  async #image(descriptor: Descriptor, path: readonly Descriptor[]): Promise<ArchivedImage | undefined> {
    if (!isIndexMediaType(descriptor.mediaType) && !isManifestMediaType(descriptor.mediaType)) return undefined;
    const manifest = await this.#manifest(descriptor);
    const { mediaType, digest, size } = descriptor;
    const plain = { mediaType, digest, size };
    if (manifest.kind === "index") return this.#choose(plain, manifest, path);
    if (!isImageConfigMediaType(manifest.config.mediaType)) return undefined;
    const { store, lease } = this.#request;
    for (const part of [manifest.config, ...manifest.layers]) await this.#require(part);
    for (const layer of manifest.layers) layerCompression(layer.mediaType);
    lease.add(manifest.config.digest);
    const config = await readConfig(store, manifest.config.digest);
    const id = manifest.config.digest;
    checkDiffIds(`image ${id} in the archive`, manifest.layers, config.rootfs.diff_ids);
    return { manifest: plain, indexes: path, id, config, layers: manifest.layers, tags: [] };
  }

  async #manifest(descriptor: Descriptor): Promise<Manifest> {
    await this.#require(descriptor);
    const { digest, mediaType } = descriptor;
    const bytes = await this.#request.store.read(digest, { limit: MANIFEST_SIZE_LIMIT });
    return decodeManifest(bytes, { mediaType, name: `manifest ${digest} in the archive` });
  }

  /** An archive seldom holds all platforms of an index: the best of those that are there is taken. */
  async #choose(
    descriptor: Descriptor,
    index: ImageIndex,
    path: readonly Descriptor[],
  ): Promise<ArchivedImage | undefined> {
    if (path.length >= INDEX_DEPTH) throw new InvalidArgument(`index ${descriptor.digest} is nested too deeply`);
    const wanted = this.#request.platform ?? hostPlatform();
    const ranked = index.manifests
      .map((entry) => ({ entry, rank: this.#rank(entry, wanted) }))
      .filter(({ rank }) => rank < Infinity)
      .sort((a, b) => a.rank - b.rank);
    for (const { entry } of ranked) {
      if (!(await this.#has(entry))) continue;
      const image = await this.#image(entry, [...path, descriptor]);
      if (image !== undefined) return image;
    }
    return undefined;
  }

  /** Lower is better; what names no platform is tried before what does not fit this machine. */
  #rank({ platform }: Descriptor, wanted: Platform): number {
    const least = 1000;
    if (platform === undefined) return least;
    if (platform.os === "unknown") return Infinity;
    const foreign = this.#request.platform === undefined ? least + 1 : Infinity;
    return platformRank(wanted, platform) ?? foreign;
  }

  async #has({ digest }: Descriptor): Promise<boolean> {
    this.#request.lease.add(digest);
    return (await this.#request.store.stat(digest)) !== undefined;
  }

  async #require({ digest, size }: Descriptor): Promise<void> {
    this.#request.lease.add(digest);
    const found = await this.#request.store.stat(digest);
    if (found?.size === size) return;
    if (found !== undefined) {
      throw new InvalidArgument(`blob ${digest} in the archive has ${found.size} bytes instead of ${size}`);
    }
    throw new InvalidArgument(`the archive lacks blob ${digest}`, {
      subject: { kind: "blob", name: digest },
      remedy: "it was cut short or changed: save the image again",
    });
  }
}

/** What the archive's `manifest.json` calls the same image. */
function withDockerNames(image: ArchivedImage, docker: readonly DockerArchiveEntry[]): ArchivedImage {
  const same = docker.filter(({ config }) => {
    const [, algorithm, hex] = /^blobs\/([^/]+)\/([^/]+)$/.exec(config) ?? [];
    const digest = `${algorithm}:${hex}`;
    return isDigest(digest) && digest === image.id;
  });
  const names = new Map<string, Reference>();
  for (const name of [...image.tags, ...same.flatMap(({ tags }) => tags)]) names.set(familiarReference(name), name);
  return { ...image, tags: [...names.values()] };
}
