import { Unsupported } from "@boxship/base";

/** Media types of the OCI image specification 1.1 and of Docker's schema 2. */
export const MediaType = {
  OciIndex: "application/vnd.oci.image.index.v1+json",
  OciManifest: "application/vnd.oci.image.manifest.v1+json",
  OciConfig: "application/vnd.oci.image.config.v1+json",
  OciLayer: "application/vnd.oci.image.layer.v1.tar",
  OciLayerGzip: "application/vnd.oci.image.layer.v1.tar+gzip",
  OciLayerZstd: "application/vnd.oci.image.layer.v1.tar+zstd",
  OciEmpty: "application/vnd.oci.empty.v1+json",
  DockerIndex: "application/vnd.docker.distribution.manifest.list.v2+json",
  DockerManifest: "application/vnd.docker.distribution.manifest.v2+json",
  DockerConfig: "application/vnd.docker.container.image.v1+json",
  DockerLayer: "application/vnd.docker.image.rootfs.diff.tar",
  DockerLayerGzip: "application/vnd.docker.image.rootfs.diff.tar.gzip",
  DockerSchema1: "application/vnd.docker.distribution.manifest.v1+json",
  DockerSchema1Signed: "application/vnd.docker.distribution.manifest.v1+prettyjws",
} as const;

/** What a client that understands everything here sends as `Accept` for a manifest. */
export const MANIFEST_MEDIA_TYPES: readonly string[] = [
  MediaType.OciIndex,
  MediaType.OciManifest,
  MediaType.DockerIndex,
  MediaType.DockerManifest,
];

export type LayerCompression = "none" | "gzip" | "zstd";

interface LayerType {
  readonly compression: LayerCompression;
  /** The layer may have to be fetched from an address of its publisher instead of the registry. */
  readonly foreign: boolean;
}

const LAYER_TYPES: ReadonlyMap<string, LayerType> = new Map([
  [MediaType.OciLayer, { compression: "none", foreign: false }],
  [MediaType.OciLayerGzip, { compression: "gzip", foreign: false }],
  [MediaType.OciLayerZstd, { compression: "zstd", foreign: false }],
  ["application/vnd.oci.image.layer.nondistributable.v1.tar", { compression: "none", foreign: true }],
  ["application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", { compression: "gzip", foreign: true }],
  ["application/vnd.oci.image.layer.nondistributable.v1.tar+zstd", { compression: "zstd", foreign: true }],
  [MediaType.DockerLayer, { compression: "none", foreign: false }],
  [MediaType.DockerLayerGzip, { compression: "gzip", foreign: false }],
  ["application/vnd.docker.image.rootfs.diff.tar.zstd", { compression: "zstd", foreign: false }],
  ["application/vnd.docker.image.rootfs.foreign.diff.tar", { compression: "none", foreign: true }],
  ["application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", { compression: "gzip", foreign: true }],
]);

/** Layers that other tools know, and what can be done instead. */
const SPECIAL_LAYERS: readonly (readonly [pattern: RegExp, kind: string, remedy: string])[] = [
  [/[+.]encrypted$/, "encrypted", "decrypt the image with the tool that encrypted it, and push it again"],
  [/nydus|\.erofs|squashfs/, "lazily pulled", "push the image with ordinary tar layers, too"],
];

function layerType(mediaType: string): LayerType {
  const type = LAYER_TYPES.get(mediaType);
  if (type !== undefined) return type;
  const kind = SPECIAL_LAYERS.find(([pattern]) => pattern.test(mediaType));
  const what = kind === undefined ? "layers" : `${kind[1]} layers`;
  throw new Unsupported(`${what} of media type ${JSON.stringify(mediaType)} are not supported`, {
    subject: { kind: "media type", name: mediaType },
    ...(kind !== undefined && { remedy: kind[2] }),
  });
}

/** How a layer of this media type is compressed. @throws Unsupported for a type that is no file system layer */
export function layerCompression(mediaType: string): LayerCompression {
  return layerType(mediaType).compression;
}

/** The media type of the same layer in another compression. @throws Unsupported as {@link layerCompression} */
export function compressedLayerType(mediaType: string, compression: LayerCompression): string {
  layerType(mediaType);
  const plain = mediaType.replace(/[.+](?:gzip|zstd)$/, "");
  if (compression === "none") return plain;
  return `${plain}${plain.startsWith("application/vnd.docker.") ? "." : "+"}${compression}`;
}

/** Whether the layer may only be available from its publisher. @throws Unsupported as {@link layerCompression} */
export function isForeignLayer(mediaType: string): boolean {
  return layerType(mediaType).foreign;
}

export function isIndexMediaType(mediaType: string): boolean {
  return mediaType === MediaType.OciIndex || mediaType === MediaType.DockerIndex;
}

export function isManifestMediaType(mediaType: string): boolean {
  return mediaType === MediaType.OciManifest || mediaType === MediaType.DockerManifest;
}

export function isSchema1MediaType(mediaType: string): boolean {
  return mediaType === MediaType.DockerSchema1 || mediaType === MediaType.DockerSchema1Signed;
}

export function isImageConfigMediaType(mediaType: string): boolean {
  return mediaType === MediaType.OciConfig || mediaType === MediaType.DockerConfig;
}

const OCI_LAYERS: ReadonlyMap<string, string> = new Map([
  [MediaType.DockerLayer, MediaType.OciLayer],
  [MediaType.DockerLayerGzip, MediaType.OciLayerGzip],
  ["application/vnd.docker.image.rootfs.diff.tar.zstd", MediaType.OciLayerZstd],
  ["application/vnd.docker.image.rootfs.foreign.diff.tar", "application/vnd.oci.image.layer.nondistributable.v1.tar"],
  [
    "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
    "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
  ],
]);

const DOCKER_LAYERS: ReadonlyMap<string, string> = new Map([...OCI_LAYERS].map(([docker, oci]) => [oci, docker]));

/** Docker's name of a layer's media type. */
export function dockerLayerType(mediaType: string): string {
  return DOCKER_LAYERS.get(mediaType) ?? mediaType;
}

/** The OCI name of a layer's media type: the bytes are the same, and one manifest should not mix both. */
export function ociLayerType(mediaType: string): string {
  return OCI_LAYERS.get(mediaType) ?? mediaType;
}
