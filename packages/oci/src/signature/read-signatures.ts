import { NotFound, ResourceExhausted } from "@boxship/base";
import type { Descriptor } from "../descriptor.ts";
import { type Digest, digestAlgorithm, digestHex } from "../digest.ts";
import type { RegistryClient, RequestOptions } from "../distribution/client.ts";
import { decodeManifest } from "../manifest.ts";
import { familiarName, type Reference, withDigest, withTag } from "../reference.ts";

/** Media types of cosign's signatures. */
export const SIGNATURE_PAYLOAD = "application/vnd.dev.cosign.simplesigning.v1+json";
export const SIGNATURE_ARTIFACT = "application/vnd.dev.cosign.artifact.sig.v1+json";
/** The annotation of a payload that holds its signature, base64. */
export const SIGNATURE_ANNOTATION = "dev.cosignproject.cosign/signature";

/** A signature as a registry keeps it; nothing of it is verified yet. */
export interface StoredSignature {
  readonly payload: Uint8Array;
  /** base64. */
  readonly signature: string;
  readonly descriptor: Descriptor;
}

/** Somebody who may write to a repository could fill it with signatures. */
const MOST_SIGNATURES = 64;
const MOST_PAYLOAD = 64 * 1024;

/** The tag under which cosign keeps the signatures of a manifest. */
export function signatureTag(digest: Digest): string {
  return `${digestAlgorithm(digest)}-${digestHex(digest)}.sig`;
}

/**
 * The signatures of a manifest in cosign's format: those of its `.sig` tag, and those that refer to it.
 *
 * @throws ResourceExhausted for an absurd number of them; Unavailable as the registry answers
 */
export async function readSignatures(
  client: RegistryClient,
  reference: Reference,
  digest: Digest,
  options: RequestOptions = {},
): Promise<readonly StoredSignature[]> {
  const places = [withTag(reference, signatureTag(digest))];
  const { manifests } = await client.referrers(reference, digest, { ...options, artifactType: SIGNATURE_ARTIFACT });
  for (const entry of manifests.slice(0, MOST_SIGNATURES)) places.push(withDigest(reference, entry.digest));
  const found = new Map<string, StoredSignature>();
  for (const place of places) {
    for (const layer of await signatureLayers(client, place, options)) {
      const signature = layer.annotations?.[SIGNATURE_ANNOTATION];
      if (layer.mediaType !== SIGNATURE_PAYLOAD || signature === undefined || layer.size > MOST_PAYLOAD) continue;
      const key = `${layer.digest} ${signature}`;
      if (found.has(key)) continue;
      if (found.size === MOST_SIGNATURES) {
        throw new ResourceExhausted(
          `${digest} in ${familiarName(reference)} has more than ${MOST_SIGNATURES} signatures`,
        );
      }
      const payload = await client.readBlob(reference, layer, options);
      found.set(key, { payload, signature, descriptor: layer });
    }
  }
  return [...found.values()];
}

async function signatureLayers(
  client: RegistryClient,
  place: Reference,
  options: RequestOptions,
): Promise<readonly Descriptor[]> {
  try {
    const { bytes, mediaType } = await client.manifest(place, options);
    const document = decodeManifest(bytes, { mediaType, name: `signatures ${place.tag ?? place.digest}` });
    return document.kind === "manifest" ? document.layers : [];
  } catch (error) {
    if (error instanceof NotFound) return [];
    throw error;
  }
}
