import { Unsupported } from "@boxship/base";
import {
  compressLayer,
  type Descriptor,
  encodeImageConfig,
  encodeManifest,
  type ImageConfig,
  MediaType,
  ociLayerType,
  type StoredLayer,
} from "@boxship/oci";
import type { BuildSession } from "../solver/session.ts";
import { imageDocument, type StageState } from "../solver/state.ts";

/** The documents of an image in the content store; the build's lease keeps them. */
export interface WrittenImage {
  readonly config: Descriptor;
  readonly manifest: Descriptor;
  readonly document: ImageConfig;
}

/** Writes configuration and manifest of a stage. */
export async function writeImage(session: BuildSession, state: StageState): Promise<WrittenImage> {
  const { content } = session.parts.engine.images;
  const rootfs = { type: "layers" as const, diff_ids: state.layers.map(({ diffId }) => diffId) };
  const document: ImageConfig = { ...imageDocument(state), rootfs };
  const config = await content.put(encodeImageConfig(document));
  session.lease.add(config.digest);
  const layers = await Promise.all(state.layers.map((layer) => layerOf(session, layer)));
  const { annotations = {} } = session.request;
  const configDescriptor: Descriptor = { mediaType: MediaType.OciConfig, ...config };
  const bytes = encodeManifest({
    kind: "manifest",
    mediaType: MediaType.OciManifest,
    config: configDescriptor,
    layers,
    ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
  });
  const manifest = await content.put(bytes);
  session.lease.add(manifest.digest);
  return { config: configDescriptor, manifest: { mediaType: MediaType.OciManifest, ...manifest }, document };
}

async function layerOf(session: BuildSession, { descriptor }: StoredLayer): Promise<Descriptor> {
  const { compression = "none" } = session.request;
  const plain = { ...descriptor, mediaType: ociLayerType(descriptor.mediaType) };
  if (compression === "none") return plain;
  if (compression === "zstd") {
    throw new Unsupported("layers compressed with zstd are not supported", { remedy: "use compression=gzip" });
  }
  const { content } = session.parts.engine.images;
  return compressLayer(plain, { store: content, lease: session.lease, signal: session.signal });
}
