import { InvalidArgument, NotFound } from "@boxship/base";
import {
  type Descriptor,
  type Digest,
  decodeManifest,
  digestOf,
  encodeManifest,
  type ImageIndex,
  MediaType,
  type Reference,
  type RegistryClient,
  referrersTag,
  withDigest,
  withTag,
} from "@boxship/oci";
import type { RawManifest } from "../transport/contract.ts";

/**
 * Stores a manifest that has a subject, and makes sure that it is listed as a referrer: a registry without the referrers
 * API gets the tag that stands for it (distribution specification 1.1, "Pushing Manifests with Subject").
 */
export async function putReferrer(
  client: RegistryClient,
  reference: Reference,
  manifest: RawManifest,
  subject: Digest,
): Promise<void> {
  const { keepsReferrers } = await client.putManifest(withDigest(reference, manifest.digest), manifest);
  if (keepsReferrers) return;
  const tag = withTag(reference, referrersTag(subject));
  const known = await readList(client, tag);
  if (known.manifests.some(({ digest }) => digest === manifest.digest)) return;
  const document = decodeManifest(manifest.bytes, { mediaType: manifest.mediaType });
  const type = document.artifactType ?? (document.kind === "manifest" ? document.config.mediaType : undefined);
  const entry: Descriptor = {
    mediaType: document.mediaType,
    digest: manifest.digest,
    size: manifest.bytes.byteLength,
    ...(type !== undefined && { artifactType: type }),
    ...(document.annotations !== undefined && { annotations: document.annotations }),
  };
  const bytes = encodeManifest({ ...known, manifests: [...known.manifests, entry] });
  await client.putManifest(tag, { bytes, digest: digestOf(bytes), mediaType: MediaType.OciIndex });
}

async function readList(client: RegistryClient, tag: Reference): Promise<ImageIndex> {
  try {
    const { bytes, mediaType } = await client.manifest(tag);
    const document = decodeManifest(bytes, { mediaType, name: "the list of referrers" });
    if (document.kind === "index") return document;
    throw new InvalidArgument(`tag ${tag.tag} should be a list of referrers, and is an image`);
  } catch (error) {
    if (!(error instanceof NotFound)) throw error;
    return { kind: "index", mediaType: MediaType.OciIndex, manifests: [] };
  }
}
