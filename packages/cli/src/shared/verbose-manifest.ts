import { digestOf, formatReference, MediaType, parseReference, type Reference } from "@boxship/oci";

/** Where the parts of an image's description come from. */
export interface ManifestSource {
  /** The manifest or index under a tag or digest, as its registry keeps it. */
  document(reference: Reference): Promise<Uint8Array>;
  /** The platform of an image whose name means a manifest. */
  platform(reference: Reference): Promise<RawPlatform | undefined>;
}

export interface RawPlatform {
  readonly architecture: string;
  readonly os: string;
  readonly "os.version"?: string;
  readonly "os.features"?: readonly string[];
  readonly variant?: string;
}

/** A descriptor in an index, of which only the names that are needed are known. */
export interface RawDescriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly urls?: readonly string[];
  readonly annotations?: Readonly<Record<string, string>>;
  readonly platform?: RawPlatform;
}

/** What `manifest inspect --verbose` tells of an image: one object, and of an index one for each of its images. */
export async function verboseManifest(source: ManifestSource, reference: Reference): Promise<unknown> {
  const bytes = await source.document(reference);
  const { mediaType, manifests } = parse(bytes);
  if (manifests !== undefined) return verboseList(source, reference, manifests);
  const platform = await source.platform(reference);
  const descriptor = { mediaType, digest: digestOf(bytes), size: bytes.length };
  return describe(reference, { ...descriptor, ...(platform === undefined ? {} : { platform }) }, bytes);
}

/** The same of the images of a list, each found by its digest beside the name. */
export function verboseList(
  source: ManifestSource,
  reference: Reference,
  manifests: readonly RawDescriptor[],
): Promise<readonly unknown[]> {
  return Promise.all(
    manifests.map(async (descriptor) => {
      const named = parseReference(`${formatReference({ ...reference, digest: undefined })}@${descriptor.digest}`);
      return describe(named, descriptor, await source.document(named));
    }),
  );
}

function describe(reference: Reference, descriptor: RawDescriptor, bytes: Uint8Array): unknown {
  const { mediaType, digest, size, urls, annotations, platform } = descriptor;
  const kind = mediaType === MediaType.DockerManifest ? "SchemaV2Manifest" : "OCIManifest";
  return {
    Ref: formatReference(reference),
    Descriptor: { mediaType, digest, size, urls, annotations, platform: platform && inOrder(platform) },
    Raw: Buffer.from(bytes).toString("base64"),
    [kind]: JSON.parse(Buffer.from(bytes).toString()) as unknown,
  };
}

function inOrder(platform: RawPlatform): RawPlatform {
  const { architecture, os, variant } = platform;
  const [version, features] = [platform["os.version"], platform["os.features"]];
  return {
    architecture,
    os,
    ...(version === undefined ? {} : { "os.version": version }),
    ...(features === undefined ? {} : { "os.features": features }),
    ...(variant === undefined ? {} : { variant }),
  };
}

interface RawManifest {
  readonly mediaType: string;
  readonly manifests?: readonly RawDescriptor[];
}

function parse(bytes: Uint8Array): RawManifest {
  const value = JSON.parse(Buffer.from(bytes).toString()) as Partial<RawManifest>;
  // Only OCI's manifests may leave it out.
  return { mediaType: value.manifests === undefined ? MediaType.OciManifest : MediaType.OciIndex, ...value };
}
