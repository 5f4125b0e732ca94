export * from "./contract.ts";
export { Snapshotter, type SnapshotterOptions } from "./overlay/snapshotter.ts";
export { endStorageWorkers, measureTree } from "./storage-pool.ts";
export type { VolumeInfo } from "./volume/volume-record.ts";
export { type CreateVolumeRequest, VolumeStore, type VolumeStoreOptions } from "./volume/volume-store.ts";
