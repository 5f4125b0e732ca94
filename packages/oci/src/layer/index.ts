export {
  archivePath,
  diffLayer,
  type ExtractOptions,
  endArchiveWorkers,
  exportTree,
  extractArchive,
  findLayerChanges,
  packDirectory,
  statArchivePath,
} from "./archive/archive.ts";
export type { PathStat } from "./archive/container-path.ts";
export * from "./blob-source.ts";
export { BlobProgress } from "./blob-source.ts";
export { type BuildLayerRequest, type BuiltLayer, buildLayer } from "./build-image.ts";
export * from "./compression.ts";
export {
  type CompressLayerRequest,
  compressLayer,
  diffIdOf,
  endMakeLayerWorkers,
  type LayerSource,
  type MakeLayerRequest,
  makeLayer,
} from "./make/make-layer.ts";
export type { Change, ChangeKind } from "./pack/changes.ts";
export type { PackOptions } from "./pack/pack-tree.ts";
export { releaseBytes } from "./release-bytes.ts";
export { type RewriteOptions, rewriteTar } from "./rewrite-tar.ts";
export * from "./tar/index.ts";
export * from "./unpack.ts";
