export type { ArchivedImage } from "./find-images.ts";
export { type LoadRequest, loadImages, pairLayers } from "./load-images.ts";
export { endImageArchiveWorkers } from "./read-archive.ts";
export { type ImageToSave, type SaveRequest, saveImages } from "./save-images.ts";
