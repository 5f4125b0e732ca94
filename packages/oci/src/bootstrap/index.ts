export { compareApk } from "./apk-version.ts";
export * from "./bootstrap-image.ts";
export { type DebianRequest, debianRoot } from "./debian.ts";
export { readOsRelease } from "./os-release.ts";
export type { RootFilesystem } from "./root-filesystem.ts";
