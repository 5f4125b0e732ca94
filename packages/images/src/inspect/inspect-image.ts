import { InvalidArgument } from "@boxship/base";
import {
  type Digest,
  decodeImageConfig,
  Field,
  hostPlatform,
  IMAGE_CONFIG_SIZE_LIMIT,
  type ImageConfig,
  type ImageManifest,
  isImageConfigMediaType,
  type Platform,
} from "@boxship/oci";
import { chooseInstance, readRaw } from "../copy/copy-image.ts";
import type { ImageSource, RawManifest } from "../transport/contract.ts";
import { readSmallFile, verifyFile } from "../transport/files.ts";
import { openScratch } from "../transport/scratch.ts";

/** One image, with its documents as they are kept. */
export interface InspectedImage {
  /** Of what the name stands for: the index, where it is one. */
  readonly digest: Digest;
  /** Of the image's own manifest. */
  readonly manifestDigest: Digest;
  readonly manifest: ImageManifest;
  readonly config: ImageConfig;
  readonly configBytes: Buffer;
  /** `docker_version`, which only Docker writes. */
  readonly dockerVersion: string;
}

const INDEX_DEPTH = 4;

/** The image behind a name, for one platform. @throws InvalidArgument if there is none for it */
export async function inspectImage(source: ImageSource, platform: Platform = hostPlatform()): Promise<InspectedImage> {
  const top = await source.manifest();
  const { manifest, digest: manifestDigest } = await imageManifest(source, top, platform);
  if (!isImageConfigMediaType(manifest.config.mediaType)) {
    const type = manifest.artifactType ?? manifest.config.mediaType;
    throw new InvalidArgument(`unsupported image-specific operation on artifact with type ${JSON.stringify(type)}`);
  }
  await using scratch = await openScratch();
  const { path, owned } = await source.blob(manifest.config, scratch.store);
  const configBytes = await readSmallFile(path, IMAGE_CONFIG_SIZE_LIMIT);
  if (!owned) await verifyFile(manifest.config, path);
  const name = `configuration of ${source.name}`;
  const field = Field.parse(name, configBytes, IMAGE_CONFIG_SIZE_LIMIT);
  const dockerVersion = field.get("docker_version").optional((version) => version.string()) ?? "";
  return {
    digest: top.digest,
    manifestDigest,
    manifest,
    config: decodeImageConfig(configBytes, name),
    configBytes,
    dockerVersion,
  };
}

async function imageManifest(
  source: ImageSource,
  top: RawManifest,
  platform: Platform,
): Promise<{ readonly manifest: ImageManifest; readonly digest: Digest }> {
  let raw = top;
  for (let depth = 0; depth <= INDEX_DEPTH; depth++) {
    const manifest = readRaw(raw, source.name);
    if (manifest.kind === "manifest") return { manifest, digest: raw.digest };
    const entry = chooseInstance(manifest, platform);
    raw = { ...(await source.manifest(entry.digest)), mediaType: entry.mediaType };
  }
  throw new InvalidArgument(`the index of ${source.name} is nested too deeply`);
}
