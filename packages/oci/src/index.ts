export * from "./bootstrap/index.ts";
export { type ApplyChangesOptions, applyChanges } from "./config-changes/apply-changes.ts";
export {
  type ExpandOptions,
  expandWord,
  expandWords,
  splitWords,
  type Variables,
} from "./config-changes/shell-word.ts";
export * from "./content-store/contract.ts";
export { isDiskFull } from "./content-store/disk-error.ts";
export { type FilesystemStoreOptions, openContentStore } from "./content-store/filesystem.ts";
export { Leases } from "./content-store/leases.ts";
export { type BlobState, verifyBlob } from "./content-store/verify-blob.ts";
export { readWithin, verifiedDigest } from "./content-store/whole-blob.ts";
export { compact, Field } from "./decode.ts";
export { type Descriptor, encodeDescriptor, readDescriptor } from "./descriptor.ts";
export * from "./digest.ts";
export type { BlobRequest } from "./distribution/blob-fetch.ts";
export type { BlobOrigin } from "./distribution/blob-origin.ts";
export { type BlobPushRequest, type BlobPushResult, SMALL_BLOB_BYTES } from "./distribution/blob-push.ts";
export * from "./distribution/client.ts";
export * from "./distribution/credentials.ts";
export type { RegistriesConfig, RegistryConfig } from "./distribution/endpoints.ts";
export { type OpenedUrl, type OpenUrlOptions, openUrl } from "./distribution/open-url.ts";
export { referrersTag } from "./distribution/referrers.ts";
export type { RetryPolicy } from "./distribution/retry.ts";
export type { FoundRepository, Search } from "./distribution/search.ts";
export * from "./image-archive/index.ts";
export * from "./image-config.ts";
export * from "./image-store/contract.ts";
export { type ImageStoreOptions, openImageStore } from "./image-store/image-store.ts";
export * from "./layer/index.ts";
export * from "./manifest.ts";
export * from "./media-types.ts";
export * from "./platform.ts";
export type { LayerToUnpack, UnpackLayer } from "./pull/layer-pull.ts";
export * from "./pull/progress.ts";
export * from "./pull/pull-image.ts";
export { type ResolvedImage, type ResolveRequest, resolveImage } from "./pull/resolve-image.ts";
export { type StoredLayer, type UnpackStoredRequest, unpackStored } from "./pull/unpack-stored.ts";
export * from "./push/push-image.ts";
export * from "./reference.ts";
export * from "./signature/read-signatures.ts";
