export * from "./atomic-file.ts";
export * from "./clock.ts";
export * from "./concurrency.ts";
export * from "./entry.ts";
export * from "./errors.ts";
export * from "./log.ts";
export * from "./set-aside.ts";
export * from "./worker-pool.ts";
