import { formatReference, type Reference, type RegistryClient, withDigest } from "@boxship/oci";
import type { ImageDestination, ImageSource } from "./contract.ts";

/** An image in a registry. The client stays its owner's. */
export function registrySource(client: RegistryClient, reference: Reference): ImageSource {
  return {
    name: `docker://${formatReference(reference)}`,
    manifest: (digest) => client.manifest(digest === undefined ? reference : withDigest(reference, digest)),
    async blob(descriptor, store) {
      await client.fetchBlob({ reference, descriptor, store });
      return { path: await store.path(descriptor.digest), owned: true };
    },
    origin: (descriptor) => client.blobOrigin(reference, descriptor),
    async [Symbol.asyncDispose]() {},
  };
}

export interface RegistryDestinationOptions {
  /** Where blobs come from: in the same registry they are mounted instead of sent. @default nowhere */
  readonly from?: Reference | undefined;
}

/** A name in a registry. The client stays its owner's. */
export function registryDestination(
  client: RegistryClient,
  reference: Reference,
  { from }: RegistryDestinationOptions = {},
): ImageDestination {
  const mountFrom = from?.domain === reference.domain && from.path !== reference.path ? [from] : [];
  return {
    name: `docker://${formatReference(reference)}`,
    layers: "compressed",
    async put(descriptor, { file, origin }) {
      const store = { path: async () => (await file()).path };
      const content = origin === undefined ? { store } : { origin };
      const { kind } = await client.pushBlob({ reference, descriptor, mountFrom, ...content });
      return kind === "pushed" ? "copied" : "present";
    },
    async putManifest(manifest, top) {
      await client.putManifest(top ? reference : withDigest(reference, manifest.digest), manifest);
    },
    async commit() {},
    async [Symbol.asyncDispose]() {},
  };
}
