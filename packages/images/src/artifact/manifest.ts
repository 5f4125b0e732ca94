import { type Descriptor, digestOf, encodeManifest, type ImageManifest, MediaType } from "@boxship/oci";
import type { RawManifest } from "../transport/contract.ts";

/** The content of an empty configuration (OCI image specification 1.1, "Guidance for an Empty Descriptor"). */
export const EMPTY_CONTENT: Buffer = Buffer.from("{}");

export const EMPTY: Descriptor = {
  mediaType: MediaType.OciEmpty,
  digest: digestOf(EMPTY_CONTENT),
  size: EMPTY_CONTENT.length,
};

/** What an artifact says of itself when nobody says more, as oras has it. */
export const UNKNOWN_ARTIFACT = "application/vnd.unknown.artifact.v1";

export interface ArtifactParts {
  readonly artifactType: string;
  /** @default nothing: `{}` */
  readonly config?: Descriptor | undefined;
  readonly layers: readonly Descriptor[];
  readonly subject?: Descriptor | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
}

/** The manifest of an artifact (OCI image specification 1.1, "Guidelines for Artifact Usage"). */
export function artifactManifest({ artifactType, config, layers, subject, annotations }: ArtifactParts): RawManifest {
  const plain = subject && { mediaType: subject.mediaType, digest: subject.digest, size: subject.size };
  const manifest: ImageManifest = {
    kind: "manifest",
    mediaType: MediaType.OciManifest,
    artifactType,
    config: config ?? EMPTY,
    // A manifest has at least one layer.
    layers: layers.length === 0 ? [EMPTY] : layers,
    ...(plain !== undefined && { subject: plain }),
    ...(annotations !== undefined && Object.keys(annotations).length > 0 && { annotations }),
  };
  const bytes = encodeManifest(manifest);
  return { bytes, digest: digestOf(bytes), mediaType: MediaType.OciManifest };
}
