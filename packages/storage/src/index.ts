export * from "./contract.ts";
export { parseLimit } from "./image/filesystem-image.ts";
export type { ContainerMount } from "./mount/container-mount.ts";
export { mountTarget, openMountTarget } from "./mount/mount-target.ts";
export { Snapshotter, type SnapshotterOptions } from "./overlay/snapshotter.ts";
export { endStorageWorkers, measureTree, mountIntoContainer, unmountFromContainer } from "./storage-pool.ts";
export type { VolumeInfo } from "./volume/volume-record.ts";
export type { VolumeSnapshot } from "./volume/volume-snapshots.ts";
export { type CreateVolumeRequest, VolumeStore, type VolumeStoreOptions } from "./volume/volume-store.ts";
