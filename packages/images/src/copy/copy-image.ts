import { FailedPrecondition, InvalidArgument, NotFound, Semaphore } from "@boxship/base";
import {
  type Descriptor,
  type Digest,
  decodeManifest,
  digestOf,
  hostPlatform,
  type ImageIndex,
  type ImageManifest,
  isIndexMediaType,
  isManifestMediaType,
  type Manifest,
  type Platform,
  platformRank,
} from "@boxship/oci";
import type { ImageDestination, ImageSource, RawManifest } from "../transport/contract.ts";
import { LazyScratch } from "../transport/scratch.ts";
import { convertIndex, convertManifest, encodeInOrder, formatOf, type ManifestFormat } from "./convert-manifest.ts";
import { copyConfig, copyLayer, type LayerCopy } from "./copy-layer.ts";

/** What of an index is copied: the image for one platform, all of them, or the index without them. */
export type Selection = "system" | "all" | "index-only";

export interface CopyRequest {
  readonly source: ImageSource;
  readonly destination: ImageDestination;
  /** @default "system" */
  readonly select?: Selection;
  /** @default this machine's */
  readonly platform?: Platform;
  /** @default the source's, or what the destination keeps */
  readonly format?: ManifestFormat | undefined;
  /** Fail rather than change a manifest. @default false */
  readonly preserveDigests?: boolean;
  /**
   * Asked for each image before anything of it is copied, with the digest of what the source's name stands for; throws to
   * refuse it.
   * @default all may be copied
   */
  readonly admit?: (manifest: RawManifest, root: Digest) => Promise<void>;
  /** Hears skopeo's own words. */
  readonly onProgress?: (line: string) => void;
  readonly signal?: AbortSignal;
}

export interface CopyResult {
  /** What the destination has now. */
  readonly digest: Digest;
  readonly mediaType: string;
}

const CONCURRENT_LAYERS = 6;
const INDEX_DEPTH = 4;

/**
 * Copies an image, or all images of an index, from place to place. What the destination has already is not copied; what
 * it cannot keep as it is (its layers' form, the manifest's format) is changed on the way, and manifests with it.
 *
 * @throws FailedPrecondition if digests are to be preserved and cannot be; NotFound if no image is for the platform
 */
export async function copyImage(request: CopyRequest): Promise<CopyResult> {
  await using scratch = new LazyScratch(request.destination);
  const result = await new Copy(request, scratch).run();
  await request.destination.commit();
  return result;
}

/** A manifest or index, read; with what was said of its kind. */
export function readRaw(raw: RawManifest, name: string): Manifest {
  return decodeManifest(raw.bytes, { mediaType: raw.mediaType, name: `manifest of ${name}` });
}

/** The entry of an index for a platform, in skopeo's words where there is none. */
export function chooseInstance(index: ImageIndex, platform: Platform): Descriptor {
  const ranked = index.manifests
    .map((entry) => ({ entry, rank: entry.platform && platformRank(platform, entry.platform) }))
    .filter((choice): choice is { entry: Descriptor; rank: number } => choice.rank !== undefined)
    .sort((a, b) => a.rank - b.rank);
  const [best] = ranked;
  if (best !== undefined) return best.entry;
  const kind = formatOf(index.mediaType) === "oci" ? "index" : "manifest list";
  const { os, architecture, variant = "" } = platform;
  throw new InvalidArgument(
    `no image found in ${kind === "index" ? "image index" : kind} for architecture ${architecture}, variant ${JSON.stringify(variant)}, OS ${os}`,
  );
}

class Copy {
  readonly #request: CopyRequest;
  readonly #scratch: LazyScratch;
  readonly #slots = new Semaphore(CONCURRENT_LAYERS);
  #root: Digest | undefined;
  /** Layers that several images share are copied once. */
  readonly #layers = new Map<string, Promise<Descriptor>>();

  constructor(request: CopyRequest, scratch: LazyScratch) {
    this.#request = request;
    this.#scratch = scratch;
  }

  async run(): Promise<CopyResult> {
    const { source, select = "system" } = this.#request;
    const raw = await source.manifest().catch((error: unknown) => {
      if (!(error instanceof NotFound) || source.name.startsWith("docker:")) throw error;
      throw new NotFound(`determining manifest MIME type for ${source.name}: ${error.message}`, { cause: error });
    });
    this.#root = raw.digest;
    const manifest = readRaw(raw, source.name);
    if (manifest.kind === "manifest") return this.#image(raw, manifest, true);
    if (select === "system") {
      const { raw: chosen, image } = await this.#choose(manifest, 0);
      return this.#image(chosen, image, true);
    }
    return this.#index(raw, manifest, select, true, 0);
  }

  async #choose(index: ImageIndex, depth: number): Promise<{ raw: RawManifest; image: ImageManifest }> {
    const { source, platform = hostPlatform() } = this.#request;
    if (depth > INDEX_DEPTH) throw new InvalidArgument(`the index of ${source.name} is nested too deeply`);
    const entry = chooseInstance(index, platform);
    const raw = await this.#instance(entry);
    const manifest = readRaw(raw, `${source.name} for ${platform.os}/${platform.architecture}`);
    return manifest.kind === "manifest" ? { raw, image: manifest } : this.#choose(manifest, depth + 1);
  }

  /** A manifest of an index, which must be what the index says. */
  async #instance(entry: Descriptor): Promise<RawManifest> {
    const raw = await this.#request.source.manifest(entry.digest);
    if (raw.bytes.byteLength !== entry.size) {
      throw new InvalidArgument(`manifest ${entry.digest} has ${raw.bytes.byteLength} bytes instead of ${entry.size}`);
    }
    return { ...raw, mediaType: entry.mediaType };
  }

  async #index(
    raw: RawManifest,
    index: ImageIndex,
    select: Exclude<Selection, "system">,
    top: boolean,
    depth: number,
  ): Promise<RawManifest> {
    const { source, destination } = this.#request;
    if (depth > INDEX_DEPTH) throw new InvalidArgument(`the index of ${source.name} is nested too deeply`);
    this.#say("Getting image list signatures");
    const format = this.#format(index.mediaType);
    const manifests: Descriptor[] = [];
    const count = index.manifests.length;
    if (select === "all") this.#say(`Copying ${count} of ${count} images in list`);
    for (const [position, entry] of index.manifests.entries()) {
      if (select === "index-only") {
        manifests.push(entry);
        continue;
      }
      this.#say(`Copying image ${entry.digest} (${position + 1}/${count})`);
      manifests.push(await this.#entry(entry, depth));
    }
    const converted = convertIndex({ ...index, manifests }, format);
    const same =
      converted.mediaType === index.mediaType && manifests.every((entry, at) => entry === index.manifests[at]);
    const written = same ? { ...raw, mediaType: index.mediaType } : this.#encoded(converted);
    this.#mayChange(written.digest === raw.digest, source.name);
    this.#say("Writing manifest list to image destination");
    await destination.putManifest(written, top);
    this.#say("Storing list signatures");
    return written;
  }

  async #entry(entry: Descriptor, depth: number): Promise<Descriptor> {
    if (!isIndexMediaType(entry.mediaType) && !isManifestMediaType(entry.mediaType)) {
      throw new InvalidArgument(
        `the index holds ${entry.digest} of media type ${entry.mediaType}, which is no manifest`,
      );
    }
    const raw = await this.#instance(entry);
    const manifest = readRaw(raw, entry.digest);
    const result =
      manifest.kind === "index"
        ? await this.#index(raw, manifest, "all", false, depth + 1)
        : await this.#image(raw, manifest, false);
    if (result.digest === entry.digest) return entry;
    const { digest, mediaType } = result;
    return { ...entry, digest, mediaType, size: result.bytes.byteLength };
  }

  async #image(raw: RawManifest, original: ImageManifest, top: boolean): Promise<RawManifest> {
    const { source, destination, admit } = this.#request;
    await admit?.(raw, this.#root ?? raw.digest);
    this.#say("Getting image source signatures");
    const format = this.#format(original.mediaType);
    const manifest = convertManifest(original, format);
    const layers = await this.#copyLayers(manifest);
    const config = await this.#config(original, manifest);
    const same =
      format === formatOf(original.mediaType) &&
      config.digest === original.config.digest &&
      layers.every((layer, index) => layer === manifest.layers[index]);
    const written = same ? { ...raw, mediaType: original.mediaType } : this.#encoded({ ...manifest, config, layers });
    this.#mayChange(written.digest === raw.digest, source.name);
    this.#say("Writing manifest to image destination");
    await destination.putManifest(written, top);
    this.#say("Storing signatures");
    return written;
  }

  #encoded(manifest: Manifest): RawManifest {
    const bytes = encodeInOrder(manifest);
    return { bytes, digest: digestOf(bytes), mediaType: manifest.mediaType };
  }

  #mayChange(same: boolean, name: string): void {
    if (same || this.#request.preserveDigests !== true) return;
    throw new FailedPrecondition(
      `Manifest of ${name} cannot be copied to ${this.#request.destination.name} without changing its digest`,
      { remedy: "choose another destination or format, or leave --preserve-digests out" },
    );
  }

  /** The format that is asked for, that of the source, or the only one that the destination keeps. */
  #format(mediaType: string): ManifestFormat {
    const { destination, format } = this.#request;
    const own = format ?? formatOf(mediaType);
    const kept = destination.accepts?.map(formatOf) ?? [own];
    return kept.includes(own) ? own : (kept[0] ?? own);
  }

  async #copyLayers(manifest: ImageManifest): Promise<readonly Descriptor[]> {
    // Announced before any is there, in their order.
    for (const { digest } of new Map(manifest.layers.map((layer) => [layer.digest, layer])).values()) {
      this.#say(`Copying blob ${digest}`);
    }
    const results = await Promise.allSettled(
      manifest.layers.map((layer) => {
        const key = `${layer.digest} ${layer.mediaType}`;
        const known = this.#layers.get(key);
        if (known !== undefined) return known.then((copied) => (copied.digest === layer.digest ? layer : copied));
        const copy = this.#slots.run(() => copyLayer(this.#layerCopy(), layer));
        this.#layers.set(key, copy);
        return copy;
      }),
    );
    return results.map((result) => {
      if (result.status === "rejected") throw result.reason;
      return result.value;
    });
  }

  #layerCopy(): LayerCopy {
    const { source, destination, preserveDigests = false, signal } = this.#request;
    return { source, destination, scratch: this.#scratch, preserve: preserveDigests, signal };
  }

  async #config(original: ImageManifest, manifest: ImageManifest): Promise<Descriptor> {
    const config = await copyConfig(this.#layerCopy(), original.config, manifest.config);
    this.#say(`Copying config ${config.digest}`);
    return config;
  }

  #say(line: string): void {
    this.#request.signal?.throwIfAborted();
    this.#request.onProgress?.(line);
  }
}
