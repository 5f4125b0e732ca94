import { formatReference, type Reference, type RegistryClient, withDigest } from "@boxship/oci";
import type { ImageDestination, ImageSource, LocalBlob } from "./contract.ts";
import { followedBlob } from "./followed-blob.ts";

/** Smaller blobs are fetched whole before they are passed on. */
const WORTH_FOLLOWING = 1024 * 1024;

/** An image in a registry. The client stays its owner's. */
export function registrySource(client: RegistryClient, reference: Reference): ImageSource {
  return {
    name: `docker://${formatReference(reference)}`,
    manifest: (digest) => client.manifest(digest === undefined ? reference : withDigest(reference, digest)),
    async blob(descriptor, store, { mayGrow = false } = {}) {
      if (mayGrow && descriptor.size > WORTH_FOLLOWING) return followedBlob(client, { reference, descriptor, store });
      await client.fetchBlob({ reference, descriptor, store });
      return { path: await store.path(descriptor.digest), owned: true };
    },
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
    async put(descriptor, content) {
      let local: Promise<LocalBlob> | undefined;
      const get = () => (local ??= content({ mayGrow: true }));
      try {
        const { kind } = await client.pushBlob({
          reference,
          descriptor,
          store: { path: async () => (await get()).path },
          growing: async () => (await get()).growing,
          mountFrom,
        });
        return kind === "pushed" ? "copied" : "present";
      } catch (error) {
        const blob = await local?.catch(() => undefined);
        throw (await blob?.growing?.stop()) ?? error;
      }
    },
    async putManifest(manifest, top) {
      await client.putManifest(top ? reference : withDigest(reference, manifest.digest), manifest);
    },
    async commit() {},
    async [Symbol.asyncDispose]() {},
  };
}
