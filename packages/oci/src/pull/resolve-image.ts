import { InvalidArgument, NotFound, Unsupported } from "@boxship/base";
import type { ContentStore, Lease } from "../content-store/contract.ts";
import type { Descriptor } from "../descriptor.ts";
import type { RegistryClient, RequestOptions } from "../distribution/client.ts";
import { configPlatform, decodeImageConfig, IMAGE_CONFIG_SIZE_LIMIT, type ImageConfig } from "../image-config.ts";
import {
  checkDiffIds,
  decodeManifest,
  type ImageIndex,
  type ImageManifest,
  MANIFEST_SIZE_LIMIT,
  type Manifest,
  selectManifests,
} from "../manifest.ts";
import { isImageConfigMediaType, layerCompression } from "../media-types.ts";
import { formatPlatform, hostPlatform, type Platform, platformRank } from "../platform.ts";
import { familiarReference, type Reference, withDefaultTag, withDigest } from "../reference.ts";
import type { PullListener } from "./progress.ts";

export interface ResolveRequest extends RequestOptions {
  readonly client: RegistryClient;
  readonly store: ContentStore;
  readonly reference: Reference;
  /** Accept only this; @default this machine's, and what the reference has if it has one image only */
  readonly platform?: Platform | undefined;
  readonly lease: Lease;
  readonly onProgress?: PullListener | undefined;
}

/** The documents of an image, all in the store. */
export interface ResolvedImage {
  /** What the reference stands for: the manifest, or the index that it was chosen from. */
  readonly root: Descriptor;
  /** Indexes on the way from the root to the manifest, the root first. */
  readonly indexes: readonly Descriptor[];
  readonly manifestDescriptor: Descriptor;
  readonly manifest: ImageManifest;
  readonly config: ImageConfig;
}

const INDEX_DEPTH = 4;

/** Finds the image that a reference stands for on a platform, and puts its documents into the store. */
export async function resolveImage(request: ResolveRequest): Promise<ResolvedImage> {
  return new Resolver(request).run();
}

/** An image that is for another platform than was asked for. */
class WrongPlatform extends NotFound {}

class Resolver {
  readonly #request: ResolveRequest;
  readonly #platform: Platform;

  constructor(request: ResolveRequest) {
    this.#request = request;
    this.#platform = request.platform ?? hostPlatform();
  }

  async run(): Promise<ResolvedImage> {
    const { client, reference: asked, onProgress } = this.#request;
    const reference = withDefaultTag(asked);
    const root =
      reference.digest === undefined
        ? await client.resolve(reference, this.#request)
        : { digest: reference.digest, mediaType: "", size: undefined };
    onProgress?.({ kind: "pulling", reference });
    const { manifest, descriptor } = await this.#document(root);
    if (manifest.kind === "manifest") return this.#image(descriptor, manifest, descriptor, []);
    return this.#choose(descriptor, manifest, [descriptor]);
  }

  /** Reads a manifest or index, from the store if it is there. */
  async #document(wanted: {
    readonly digest: Descriptor["digest"];
    readonly mediaType: string;
    readonly size?: number | undefined;
  }): Promise<{ readonly manifest: Manifest; readonly descriptor: Descriptor }> {
    const { client, store, reference, lease } = this.#request;
    const { digest, size } = wanted;
    lease.add(digest);
    const name = `manifest ${digest} of ${familiarReference(reference)}`;
    if (size !== undefined && size > MANIFEST_SIZE_LIMIT) {
      throw new InvalidArgument(`${name} is too large: ${size} bytes where ${MANIFEST_SIZE_LIMIT} are allowed`);
    }
    let mediaType = wanted.mediaType;
    let bytes: Uint8Array;
    if ((await store.stat(digest)) === undefined) {
      const fetched = await client.manifest(withDigest(reference, digest), this.#request);
      bytes = fetched.bytes;
      if (mediaType === "") mediaType = fetched.mediaType;
      await store.put(bytes, digest);
    } else {
      bytes = await store.read(digest, { limit: MANIFEST_SIZE_LIMIT });
    }
    if (size !== undefined && bytes.byteLength !== size) {
      throw new InvalidArgument(`${name} has ${bytes.byteLength} bytes instead of ${size}`);
    }
    const manifest = decodeManifest(bytes, { mediaType, name });
    return { manifest, descriptor: { mediaType: manifest.mediaType, digest, size: bytes.byteLength } };
  }

  /** Only entries that name no platform are tried in turn: their configuration has to tell. */
  async #choose(root: Descriptor, index: ImageIndex, path: readonly Descriptor[]): Promise<ResolvedImage> {
    if (path.length > INDEX_DEPTH) throw new InvalidArgument(`index ${root.digest} is nested too deeply`);
    let wrong: unknown;
    for (const candidate of selectManifests(index, this.#platform)) {
      const { manifest, descriptor } = await this.#document(candidate);
      try {
        if (manifest.kind === "index") return await this.#choose(root, manifest, [...path, descriptor]);
        return await this.#image(root, manifest, descriptor, path, candidate.platform === undefined);
      } catch (error) {
        if (candidate.platform !== undefined || !(error instanceof WrongPlatform)) throw error;
        wrong = error;
      }
    }
    throw wrong;
  }

  async #image(
    root: Descriptor,
    manifest: ImageManifest,
    manifestDescriptor: Descriptor,
    indexes: readonly Descriptor[],
    mustMatch = false,
  ): Promise<ResolvedImage> {
    const name = familiarReference(this.#request.reference);
    if (!isImageConfigMediaType(manifest.config.mediaType)) {
      const type = manifest.artifactType ?? manifest.config.mediaType;
      throw new Unsupported(`${name} is no container image: its content is of type ${type}`, {
        subject: { kind: "image", name },
      });
    }
    for (const layer of manifest.layers) layerCompression(layer.mediaType);
    const config = await this.#config(manifest.config);
    checkDiffIds(`image ${name}`, manifest.layers, config.rootfs.diff_ids);
    this.#checkPlatform(config, mustMatch);
    return { root, indexes, manifestDescriptor, manifest, config };
  }

  async #config(descriptor: Descriptor): Promise<ImageConfig> {
    const { client, store, reference, lease } = this.#request;
    const { digest, size } = descriptor;
    const name = `configuration ${digest} of ${familiarReference(reference)}`;
    if (size > IMAGE_CONFIG_SIZE_LIMIT) throw new InvalidArgument(`${name} is too large: ${size} bytes`);
    lease.add(digest);
    const stored =
      (await store.stat(digest)) ??
      (await store.put(await client.readBlob(reference, descriptor, this.#request), digest));
    if (stored.size !== size) throw new InvalidArgument(`${name} has ${stored.size} bytes, the manifest says ${size}`);
    return decodeImageConfig(await store.read(digest, { limit: IMAGE_CONFIG_SIZE_LIMIT }), name);
  }

  /** Docker runs an image for another platform if it was not asked for one: emulation may be installed. */
  #checkPlatform(config: ImageConfig, mustMatch: boolean): void {
    const { platform, reference, onProgress } = this.#request;
    const actual = configPlatform(config);
    const wanted = this.#platform;
    if (platformRank(wanted, actual) !== undefined) return;
    if (platform === undefined && !mustMatch) {
      onProgress?.({ kind: "platform-mismatch", wanted, actual });
      return;
    }
    const name = familiarReference(reference);
    throw new WrongPlatform(
      `image with reference ${name} was found but does not match the specified platform: wanted ${formatPlatform(wanted)}, actual: ${formatPlatform(actual)}`,
      { subject: { kind: "image", name } },
    );
  }
}
