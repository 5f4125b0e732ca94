export { artifactManifest, EMPTY, UNKNOWN_ARTIFACT } from "./artifact/manifest.ts";
export { type PulledArtifact, pullArtifact, safeName } from "./artifact/pull-artifact.ts";
export { type ArtifactFile, pushArtifact, pushBytes, pushEmpty, subjectOf } from "./artifact/push-artifact.ts";
export { putReferrer } from "./artifact/put-referrer.ts";
export { type AlpineRequest, alpineArchitecture, alpineRoot, readApkKeys } from "./bootstrap/alpine-root.ts";
export { imageFromDirectory, imageFromRoot } from "./bundle/image-from-directory.ts";
export { repackBundle } from "./bundle/repack-bundle.ts";
export { unpackBundle } from "./bundle/unpack-bundle.ts";
export { type ManifestFormat, parseFormat } from "./copy/convert-manifest.ts";
export {
  type CopyRequest,
  type CopyResult,
  chooseInstance,
  copyImage,
  readRaw,
  type Selection,
} from "./copy/copy-image.ts";
export { goJson } from "./copy/docker-manifest.ts";
export { ociConfig } from "./copy/go-config.ts";
export { type DeleteSurroundings, deleteImage } from "./inspect/delete-image.ts";
export { type ImageFiles, openImageFiles } from "./inspect/image-files.ts";
export { type InspectedImage, inspectImage } from "./inspect/inspect-image.ts";
export { ManifestListFiles } from "./manifest-list/list-files.ts";
export {
  addImages,
  annotateImage,
  describeImage,
  encodeList,
  type ListedImage,
  type ManifestList,
  type PlatformChange,
  pushList,
} from "./manifest-list/manifest-list.ts";
export { signImage, type VerifiedImage, verifyImage } from "./signature/sign-image.ts";
export { type SyncDestination, syncDestination } from "./sync/sync-destination.ts";
export { parseSyncFile, type SyncRegistry } from "./sync/sync-file.ts";
export {
  allTags,
  directorySource,
  imageOf,
  repositorySource,
  type SyncImage,
  type SyncLog,
  type SyncSource,
  syncReference,
} from "./sync/sync-sources.ts";
export * from "./transport/contract.ts";
export { dockerArchiveTags } from "./transport/docker-archive-source.ts";
export type { EngineStore } from "./transport/engine.ts";
export { type ImageName, parseImageName, TRANSPORTS } from "./transport/image-name.ts";
export {
  type DestinationOptions,
  describeName,
  openDestination,
  openSource,
  type Surroundings,
} from "./transport/open.ts";
