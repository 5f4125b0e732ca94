import { duplicateKey, InvalidArgument, NotFound, surveyJson, Unsupported } from "@boxship/base";
import { compact, Field } from "./decode.ts";
import { type Descriptor, encodeDescriptor, readDescriptor, readMediaType } from "./descriptor.ts";
import { isIndexMediaType, isManifestMediaType, isSchema1MediaType, MediaType } from "./media-types.ts";
import { formatPlatform, type Platform, platformRank } from "./platform.ts";

/** Largest manifest or index that is read, in bytes; registries accept no larger ones. */
export const MANIFEST_SIZE_LIMIT = 4 * 1024 * 1024;

/** One image for one platform (OCI image spec, manifest.md; Docker image manifest, schema 2). */
export interface ImageManifest {
  readonly kind: "manifest";
  readonly mediaType: string;
  readonly artifactType?: string;
  readonly config: Descriptor;
  /** Bottom layer first. */
  readonly layers: readonly Descriptor[];
  readonly subject?: Descriptor;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Several manifests, usually one per platform (OCI image spec, image-index.md; Docker manifest list). */
export interface ImageIndex {
  readonly kind: "index";
  readonly mediaType: string;
  readonly artifactType?: string;
  readonly manifests: readonly Descriptor[];
  readonly subject?: Descriptor;
  readonly annotations?: Readonly<Record<string, string>>;
}

export type Manifest = ImageManifest | ImageIndex;

export interface ManifestSource {
  /** What the transport says the bytes are (`Content-Type`, or the descriptor's media type), without parameters. */
  readonly mediaType?: string;
  /** Name for errors. @default "image manifest" */
  readonly name?: string;
}

/** No manifest needs more; what does costs a parser far more than its size: a part of a second, in which nothing else runs. */
const LIMITS = { depth: 100, values: 30_000 };

/**
 * Reads a manifest or an index.
 *
 * A document that could be read as both, that has a key twice, or that says another media type than its transport, is refused: two readers
 * would see two images under one digest.
 *
 * @throws InvalidArgument if it is malformed, ambiguous or too large
 * @throws Unsupported for Docker's schema 1 and for media types that are not manifests
 */
export function decodeManifest(bytes: Uint8Array, source: ManifestSource = {}): Manifest {
  const name = source.name ?? "image manifest";
  const isTooLarge = bytes.byteLength > MANIFEST_SIZE_LIMIT;
  const { exceeded, members } = surveyJson(isTooLarge ? new Uint8Array() : bytes, LIMITS);
  if (exceeded !== undefined) {
    const what =
      exceeded === "depth" ? `is nested more than ${LIMITS.depth} deep` : `has more than ${LIMITS.values} values`;
    throw new InvalidArgument(`${name} is malformed: it ${what}`);
  }
  const document = Field.parse(name, bytes, MANIFEST_SIZE_LIMIT);
  if (document.members !== members) {
    throw document.fail(`it has ${JSON.stringify(duplicateKey(Buffer.from(bytes).toString()))} twice`);
  }
  const said = document.get("mediaType").optional((field) => readMediaType(field));
  refuseSchema1(document, name, said ?? source.mediaType);
  const version = document.get("schemaVersion").integer();
  if (version !== 2) throw document.get("schemaVersion").fail(`schema version ${version} is unknown`);
  if (said !== undefined && isTyped(source.mediaType) && said !== source.mediaType) {
    throw document.fail(`it says it is ${said}, but was sent as ${source.mediaType}`);
  }
  const isIndex = document.get("manifests").present;
  const isManifest = document.get("layers").present || document.get("config").present;
  if (isIndex && isManifest) throw document.fail("it holds both manifests and layers");
  if (document.get("fsLayers").present) throw document.fail("it holds fields of schema 1");
  const mediaType = said ?? (isTyped(source.mediaType) ? source.mediaType : undefined);
  return isIndex ? readIndex(document, mediaType) : readManifest(document, mediaType);
}

/** Transports that do not know better say one of these. */
function isTyped(mediaType: string | undefined): mediaType is string {
  return (
    mediaType !== undefined &&
    mediaType !== "" &&
    mediaType !== "application/json" &&
    mediaType !== "text/plain" &&
    mediaType !== "application/octet-stream"
  );
}

function refuseSchema1(document: Field, name: string, mediaType: string | undefined): void {
  const version = document.get("schemaVersion");
  const isSchema1 =
    (mediaType !== undefined && isSchema1MediaType(mediaType)) || version.optional((v) => v.integer()) === 1;
  if (!isSchema1) return;
  throw new Unsupported(`${name} is in Docker's image manifest schema 1, which is not supported`, {
    remedy: "push the image again with a current tool; schema 2 replaced it in 2016",
  });
}

function readIndex(document: Field, mediaType: string | undefined): ImageIndex {
  if (mediaType !== undefined && !isIndexMediaType(mediaType)) throw wrongType(document, mediaType);
  return compact({
    kind: "index" as const,
    mediaType: mediaType ?? MediaType.OciIndex,
    artifactType: document.get("artifactType").optional((field) => field.string()),
    manifests: document.get("manifests").array(readDescriptor),
    subject: document.get("subject").optional(readDescriptor),
    annotations: document.get("annotations").optional((field) => field.stringRecord()),
  });
}

function readManifest(document: Field, mediaType: string | undefined): ImageManifest {
  if (mediaType !== undefined && !isManifestMediaType(mediaType)) throw wrongType(document, mediaType);
  return compact({
    kind: "manifest" as const,
    mediaType: mediaType ?? MediaType.OciManifest,
    artifactType: document.get("artifactType").optional((field) => field.string()),
    config: readDescriptor(document.get("config")),
    layers: document.get("layers").array(readDescriptor),
    subject: document.get("subject").optional(readDescriptor),
    annotations: document.get("annotations").optional((field) => field.stringRecord()),
  });
}

function wrongType(document: Field, mediaType: string): Error {
  if (isIndexMediaType(mediaType) || isManifestMediaType(mediaType)) {
    return document.fail(`its content does not fit its media type ${mediaType}`);
  }
  return new Unsupported(`manifests of media type ${JSON.stringify(mediaType)} are not supported`, {
    subject: { kind: "media type", name: mediaType },
  });
}

/** The manifest or index as bytes for the content store or a registry. */
export function encodeManifest(manifest: Manifest): Uint8Array {
  const { mediaType, artifactType, subject, annotations } = manifest;
  const body =
    manifest.kind === "index"
      ? { manifests: manifest.manifests.map(encodeDescriptor) }
      : { config: encodeDescriptor(manifest.config), layers: manifest.layers.map(encodeDescriptor) };
  const document = compact({
    schemaVersion: 2,
    mediaType,
    artifactType,
    ...body,
    subject: subject === undefined ? undefined : encodeDescriptor(subject),
    annotations,
  });
  return Buffer.from(JSON.stringify(document));
}

/**
 * The entries of an index that run on `platform`, the best first. Entries that name no platform come last: only their
 * configuration tells.
 *
 * @throws NotFound if there is none
 */
export function selectManifests(index: ImageIndex, platform: Platform): readonly [Descriptor, ...Descriptor[]] {
  const ranked = index.manifests.flatMap((descriptor, position) => {
    if (!isIndexMediaType(descriptor.mediaType) && !isManifestMediaType(descriptor.mediaType)) return [];
    const rank = descriptor.platform === undefined ? Infinity : platformRank(platform, descriptor.platform);
    return rank === undefined ? [] : [{ descriptor, rank, position }];
  });
  ranked.sort((a, b) => (a.rank === b.rank ? a.position - b.position : a.rank - b.rank));
  const [best, ...others] = ranked.map((entry) => entry.descriptor);
  if (best !== undefined) return [best, ...others];
  const offered = index.manifests.flatMap((entry) => (entry.platform === undefined ? [] : [entry.platform]));
  const names = [...new Set(offered.filter((o) => o.os !== "unknown").map((o) => formatPlatform(o)))];
  throw new NotFound(`no matching manifest for ${formatPlatform(platform)} in the manifest list entries`, {
    subject: { kind: "platform", name: formatPlatform(platform) },
    ...(names.length === 0 ? {} : { remedy: `choose one of its platforms: ${names.join(", ")}` }),
  });
}

/** @throws InvalidArgument if the manifest's layers and the configuration's diff ids do not pair up */
export function checkDiffIds(name: string, layers: readonly unknown[], diffIds: readonly unknown[]): void {
  if (layers.length === diffIds.length) return;
  throw new InvalidArgument(
    `${name} is malformed: its manifest has ${layers.length} layers, its configuration has ${diffIds.length} diff ids`,
  );
}
