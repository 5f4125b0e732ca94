export * from "./content-store/contract.ts";
export { type FilesystemStoreOptions, openContentStore } from "./content-store/filesystem.ts";
export type { Descriptor } from "./descriptor.ts";
export * from "./digest.ts";
export * from "./image-config.ts";
export * from "./manifest.ts";
export * from "./media-types.ts";
export * from "./platform.ts";
export * from "./reference.ts";
