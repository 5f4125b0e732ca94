export * from "./contract.ts";
export { Snapshotter, type SnapshotterOptions } from "./overlay/snapshotter.ts";
export { endStorageWorkers } from "./storage-pool.ts";
