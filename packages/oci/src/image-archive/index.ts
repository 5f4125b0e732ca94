export { type DockerArchiveEntry, decodeDockerManifest } from "./archive-index.ts";
export type { ArchivedImage } from "./find-images.ts";
export { type LoadRequest, loadImages, pairLayers } from "./load-images.ts";
export {
  type ArchivedFile,
  endImageArchiveWorkers,
  lookUpFile,
  type ReadArchive,
  type ReadArchiveRequest,
  readArchive,
} from "./read-archive.ts";
export { type ImageToSave, type SaveRequest, saveImages } from "./save-images.ts";
