import type { KeyObject } from "node:crypto";
import { NotFound, PermissionDenied } from "@boxship/base";
import {
  type Descriptor,
  type Digest,
  decodeManifest,
  digestOf,
  encodeManifest,
  MediaType,
  type Reference,
  type RegistryClient,
  readSignatures,
  repositoryName,
  SIGNATURE_ANNOTATION,
  SIGNATURE_ARTIFACT,
  SIGNATURE_PAYLOAD,
  signatureTag,
  withTag,
} from "@boxship/oci";
import { type SignedClaim, signClaim, verifySignature } from "@boxship/trust";
import { artifactManifest } from "../artifact/manifest.ts";
import { pushBytes, pushEmpty } from "../artifact/push-artifact.ts";
import { putReferrer } from "../artifact/put-referrer.ts";

export interface SignImageRequest {
  readonly client: RegistryClient;
  readonly reference: Reference;
  readonly key: KeyObject;
  /** More that the signature says, under `optional`. @default nothing */
  readonly annotations?: Readonly<Record<string, string>>;
  /** Name that is signed. @default the reference, as skopeo has it: policies compare it */
  readonly identity?: string | undefined;
}

/**
 * Signs what a reference stands for in a registry, in cosign's format: under the tag where every cosign looks, and as a
 * referrer. Signatures that are there stay.
 *
 * @returns the digest that was signed
 */
export async function signImage(request: SignImageRequest): Promise<Digest> {
  const { client, reference, key, annotations = {} } = request;
  const { bytes, digest, mediaType } = await client.manifest(reference);
  const document = decodeManifest(bytes, { mediaType });
  const subject: Descriptor = { mediaType: document.mediaType, digest, size: bytes.byteLength };
  const tag = reference.tag === undefined ? "" : `:${reference.tag}`;
  const identity = request.identity ?? `${repositoryName(reference)}${tag}`;
  const { payload, signature } = signClaim({ identity, digest, optional: annotations }, key);
  const layer: Descriptor = {
    mediaType: SIGNATURE_PAYLOAD,
    digest: digestOf(payload),
    size: payload.byteLength,
    annotations: { [SIGNATURE_ANNOTATION]: signature },
  };
  await pushBytes(client, reference, layer, payload);
  await addToTag(client, withTag(reference, signatureTag(digest)), layer);
  await pushEmpty(client, reference);
  const referrer = artifactManifest({ artifactType: SIGNATURE_ARTIFACT, layers: [layer], subject });
  await putReferrer(client, reference, referrer, digest);
  return digest;
}

/** cosign keeps all signatures of an image as the layers of one image. */
async function addToTag(client: RegistryClient, tag: Reference, layer: Descriptor): Promise<void> {
  const layers = [...(await existing(client, tag)), layer];
  const config = Buffer.from(
    JSON.stringify({
      architecture: "",
      created: "0001-01-01T00:00:00Z",
      history: layers.map(() => ({ created: "0001-01-01T00:00:00Z" })),
      os: "",
      rootfs: { type: "layers", diff_ids: layers.map(({ digest }) => digest) },
      config: {},
    }),
  );
  const descriptor = { mediaType: MediaType.OciConfig, digest: digestOf(config), size: config.length };
  await pushBytes(client, tag, descriptor, config);
  const mediaType = MediaType.OciManifest;
  const bytes = encodeManifest({ kind: "manifest", mediaType, config: descriptor, layers });
  await client.putManifest(tag, { bytes, digest: digestOf(bytes), mediaType });
}

async function existing(client: RegistryClient, tag: Reference): Promise<readonly Descriptor[]> {
  try {
    const { bytes, mediaType } = await client.manifest(tag);
    const document = decodeManifest(bytes, { mediaType, name: `signatures ${tag.tag}` });
    return document.kind === "manifest" ? document.layers : [];
  } catch (error) {
    if (error instanceof NotFound) return [];
    throw error;
  }
}

export interface VerifiedImage {
  readonly digest: Digest;
  /** What the signatures that fit say. At least one. */
  readonly claims: readonly SignedClaim[];
}

/**
 * Verifies what a reference stands for with public keys, of which one must have signed it.
 *
 * @throws PermissionDenied if none has
 */
export async function verifyImage(
  client: RegistryClient,
  reference: Reference,
  keys: readonly KeyObject[],
  annotations: Readonly<Record<string, string>> = {},
): Promise<VerifiedImage> {
  const { digest } = await client.manifest(reference);
  const signatures = await readSignatures(client, reference, digest);
  const subject = { kind: "image", name: repositoryName(reference) };
  if (signatures.length === 0) throw new PermissionDenied(`no signatures found for ${digest}`, { subject });
  const claims = signatures.flatMap((signature) => {
    const claim = verifySignature(signature, keys);
    return claim === undefined ? [] : [claim];
  });
  const fitting = claims.filter(
    (claim) =>
      claim.digest === digest && Object.entries(annotations).every(([name, value]) => claim.optional[name] === value),
  );
  if (fitting.length > 0) return { digest, claims: fitting };
  const why =
    claims.length === 0 ? "no given key has made any of its signatures" : "what was signed is not what was asked for";
  throw new PermissionDenied(`no matching signatures for ${digest}: ${why}`, { subject });
}
