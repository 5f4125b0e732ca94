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
export { type InspectedImage, inspectImage } from "./inspect/inspect-image.ts";
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
