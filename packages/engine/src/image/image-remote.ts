import {
  type CredentialSource,
  configPlatform,
  decodeImageConfig,
  decodeManifest,
  familiarReference,
  isImageConfigMediaType,
  type Manifest,
  type Platform,
  type Reference,
  withDefaultTag,
} from "@boxship/oci";
import type { EngineContext } from "../context.ts";
import type { ImagesApi, RegistryImage } from "../engine-api.ts";
import { registryReference, requestCredentials } from "./registry-reference.ts";

interface RemoteOptions {
  readonly credentials?: CredentialSource | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What a registry has under a name: its digest and the platforms that it is for. */
export async function inspectRemote(
  context: EngineContext,
  text: string,
  { credentials, signal }: Parameters<ImagesApi["inspectRemote"]>[1] = {},
): Promise<RegistryImage> {
  const reference = withDefaultTag(registryReference(text));
  const options = { ...requestCredentials(reference, credentials), signal };
  const { bytes, digest, mediaType } = await context.images.client.manifest(reference, options);
  const manifest = decodeManifest(bytes, { mediaType, name: `manifest of ${familiarReference(reference)}` });
  return {
    descriptor: { mediaType: manifest.mediaType, digest, size: bytes.byteLength },
    platforms: await platformsOf(context, reference, manifest, options),
    document: bytes,
  };
}

async function platformsOf(
  context: EngineContext,
  reference: Reference,
  manifest: Manifest,
  options: RemoteOptions,
): Promise<readonly Platform[]> {
  if (manifest.kind === "index") {
    return manifest.manifests.flatMap(({ platform }) => (platform === undefined ? [] : [platform]));
  }
  if (!isImageConfigMediaType(manifest.config.mediaType)) return [];
  const config = await context.images.client.readBlob(reference, manifest.config, options);
  return [configPlatform(decodeImageConfig(config, `configuration of ${familiarReference(reference)}`))];
}
