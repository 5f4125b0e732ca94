import { InvalidArgument, Unsupported } from "@boxship/base";
import {
  type Descriptor,
  encodeDescriptor,
  type ImageIndex,
  type ImageManifest,
  isImageConfigMediaType,
  type Manifest,
  MediaType,
  ociLayerType,
} from "@boxship/oci";
import { encodeDockerManifest, goJson } from "./docker-manifest.ts";

/** Whose manifests: `oci`, or `v2s2` for Docker's schema 2. */
export type ManifestFormat = "oci" | "v2s2";

/** @throws Unsupported for schema 1; InvalidArgument for other words */
export function parseFormat(text: string): ManifestFormat {
  if (text === "oci" || text === "v2s2") return text;
  if (text === "v2s1") throw new Unsupported("manifest format v2s1 is not supported: schema 2 replaced it in 2016");
  throw new InvalidArgument(
    `unknown format ${JSON.stringify(text)}. Choose one of the supported formats: 'oci', 'v2s2'`,
  );
}

export function formatOf(mediaType: string): ManifestFormat {
  return mediaType.startsWith("application/vnd.docker.") ? "v2s2" : "oci";
}

const DOCKER_LAYERS: ReadonlyMap<string, string> = new Map([
  [MediaType.OciLayer, MediaType.DockerLayer],
  [MediaType.OciLayerGzip, MediaType.DockerLayerGzip],
  ["application/vnd.oci.image.layer.nondistributable.v1.tar", "application/vnd.docker.image.rootfs.foreign.diff.tar"],
  [
    "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
    "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
  ],
]);

/** The same image with the media types of another format. @throws Unsupported for what that format cannot say */
export function convertManifest(manifest: ImageManifest, format: ManifestFormat): ImageManifest {
  if (formatOf(manifest.mediaType) === format) return manifest;
  if (!isImageConfigMediaType(manifest.config.mediaType)) {
    throw new Unsupported(`an artifact with configuration ${manifest.config.mediaType} has no other manifest format`);
  }
  const { subject: _subject, annotations: _annotations, artifactType: _type, ...plain } = manifest;
  if (format === "oci") {
    return {
      ...plain,
      mediaType: MediaType.OciManifest,
      config: { ...manifest.config, mediaType: MediaType.OciConfig },
      layers: manifest.layers.map((layer) => ({ ...layer, mediaType: ociLayerType(layer.mediaType) })),
    };
  }
  return {
    ...plain,
    mediaType: MediaType.DockerManifest,
    config: { ...manifest.config, mediaType: MediaType.DockerConfig },
    layers: manifest.layers.map(dockerLayer),
  };
}

function dockerLayer(layer: Descriptor): Descriptor {
  const mediaType = DOCKER_LAYERS.get(layer.mediaType);
  if (mediaType !== undefined) return { ...layer, mediaType };
  throw new Unsupported(`a layer of media type ${layer.mediaType} cannot be in a manifest of Docker's schema 2`, {
    subject: { kind: "media type", name: layer.mediaType },
    remedy: "choose --format oci",
  });
}

/** The manifest of an index for a destination that keeps one format only. */
export function convertIndex(index: ImageIndex, format: ManifestFormat): ImageIndex {
  if (formatOf(index.mediaType) === format) return index;
  return { ...index, mediaType: format === "oci" ? MediaType.OciIndex : MediaType.DockerIndex };
}

/** A manifest or index with its members in the order that Go programs write. */
export function encodeInOrder(manifest: Manifest): Buffer {
  if (manifest.kind === "manifest" && formatOf(manifest.mediaType) === "v2s2") {
    return encodeDockerManifest(manifest.config, manifest.layers);
  }
  const { kind, mediaType, artifactType, subject, annotations } = manifest;
  const member = kind === "index" && formatOf(mediaType) === "v2s2" ? dockerMember : ociMember;
  return Buffer.from(
    goJson({
      schemaVersion: 2,
      mediaType,
      ...(artifactType !== undefined && { artifactType }),
      ...(kind === "index"
        ? { manifests: manifest.manifests.map(member) }
        : { config: ociMember(manifest.config), layers: manifest.layers.map(ociMember) }),
      ...(subject !== undefined && { subject: ociMember(subject) }),
      ...(annotations !== undefined && { annotations }),
    }),
  );
}

function ociMember(descriptor: Descriptor): unknown {
  const { mediaType, digest, size, urls, annotations, ...rest } = encodeDescriptor(descriptor);
  return {
    mediaType,
    digest,
    size,
    ...(urls !== undefined && { urls }),
    ...(annotations !== undefined && { annotations }),
    ...rest,
  };
}

function dockerMember(descriptor: Descriptor): unknown {
  const { mediaType, digest, size, platform } = encodeDescriptor(descriptor);
  return { mediaType, size, digest, ...(platform !== undefined && { platform }) };
}
