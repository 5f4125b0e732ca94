import { InvalidArgument } from "@boxship/base";
import { type Descriptor, type Digest, isForeignLayer, type Manifest } from "@boxship/oci";
import type { ReferrerRecord } from "./records.ts";

/** What must be in a repository before a manifest can be. */
export interface Need {
  readonly kind: "blob" | "manifest";
  readonly digest: Digest;
}

/** Each once; layers that only their publisher has are left out. */
export function manifestNeeds(manifest: Manifest): readonly Need[] {
  const needs =
    manifest.kind === "index"
      ? manifest.manifests.map(({ digest }): Need => ({ kind: "manifest", digest }))
      : [manifest.config, ...manifest.layers.filter((layer) => !isElsewhere(layer))].map(
          ({ digest }): Need => ({ kind: "blob", digest }),
        );
  return [...new Map(needs.map((need) => [need.digest, need])).values()];
}

function isElsewhere({ mediaType, urls }: Descriptor): boolean {
  if (urls === undefined || urls.length === 0) return false;
  try {
    return isForeignLayer(mediaType);
  } catch {
    return false; // an artifact of some other kind
  }
}

/** Lists tell of a referrer with all of its annotations, to everybody who asks for them. */
const MOST_ANNOTATIONS = 256 * 1024;

/** @throws InvalidArgument if a manifest has more annotations than lists of referrers take */
export function checkReferrer({ subject, annotations = {} }: Manifest): void {
  if (subject === undefined) return;
  let size = 0;
  for (const [key, value] of Object.entries(annotations)) size += key.length + value.length;
  if (size <= MOST_ANNOTATIONS) return;
  throw new InvalidArgument(
    `the manifest has a subject and ${size} characters of annotations, where lists of referrers take ${MOST_ANNOTATIONS}`,
    { subject: { kind: "manifest", name: "manifest" }, remedy: "keep them in a blob of the manifest" },
  );
}

/** How a manifest appears in the list of its subject's referrers (OCI distribution spec 1.1, "Listing Referrers"). */
export function referrerOf(manifest: Manifest, digest: Digest, size: number): ReferrerRecord {
  const { mediaType, annotations } = manifest;
  const artifactType = manifest.artifactType ?? (manifest.kind === "manifest" ? manifest.config.mediaType : undefined);
  return {
    mediaType,
    digest,
    size,
    ...(artifactType !== undefined && { artifactType }),
    ...(annotations !== undefined && { annotations }),
  };
}
