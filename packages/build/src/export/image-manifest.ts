import {
  compressLayer,
  type Descriptor,
  dockerLayerType,
  encodeImageConfig,
  encodeManifest,
  type ImageConfig,
  MediaType,
  ociLayerType,
  type StoredLayer,
} from "@boxship/oci";
import { INLINE_FIELD } from "../cache/cache-document.ts";
import { inlineCache } from "../cache/export-cache.ts";
import type { BuildRequest } from "../contract.ts";
import type { BuildSession } from "../solver/session.ts";
import { imageDocument, type StageState } from "../solver/state.ts";

/** The documents of an image in the content store; the build's lease keeps them. */
export interface WrittenImage {
  readonly config: Descriptor;
  readonly manifest: Descriptor;
  readonly document: ImageConfig;
}

/** Writes configuration and manifest of a stage. */
export async function writeImage(
  session: BuildSession,
  state: StageState,
  defaults: Pick<BuildRequest, "compression"> = {},
): Promise<WrittenImage> {
  const { content } = session.parts.engine.images;
  const rootfs = { type: "layers" as const, diff_ids: state.layers.map(({ diffId }) => diffId) };
  const document: ImageConfig = { ...imageDocument(state, inlineFields(session, state)), rootfs };
  const config = await content.put(encodeImageConfig(document));
  session.lease.add(config.digest);
  const layers = await Promise.all(state.layers.map((layer) => layerOf(session, layer, defaults)));
  const { annotations = {} } = session.request;
  const isDocker = session.request.mediaTypes === "docker";
  const mediaType = isDocker ? MediaType.DockerManifest : MediaType.OciManifest;
  const configType = isDocker ? MediaType.DockerConfig : MediaType.OciConfig;
  const configDescriptor: Descriptor = { mediaType: configType, ...config };
  const bytes = encodeManifest({
    kind: "manifest",
    mediaType,
    config: configDescriptor,
    layers,
    ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
  });
  const manifest = await content.put(bytes);
  session.lease.add(manifest.digest);
  return { config: configDescriptor, manifest: { mediaType, ...manifest }, document };
}

/** What the configuration has beside what the specification names. */
export function inlineFields(session: BuildSession, state: StageState): object {
  const cache = inlineCache(session, state);
  return cache === undefined ? {} : { [INLINE_FIELD]: cache };
}

async function layerOf(
  session: BuildSession,
  { descriptor }: StoredLayer,
  { compression: otherwise = "none" }: Pick<BuildRequest, "compression">,
): Promise<Descriptor> {
  const { compression = otherwise, compressionLevel: level, forceCompression: force } = session.request;
  const typeOf = session.request.mediaTypes === "docker" ? dockerLayerType : ociLayerType;
  const plain = { ...descriptor, mediaType: typeOf(descriptor.mediaType) };
  const { content: store } = session.parts.engine.images;
  const { lease, signal } = session;
  return compressLayer(plain, { store, lease, signal, compression, level, force });
}
