export * from "./boxship.ts";
export * from "./busybox-tree.ts";
export * from "./dockerd.ts";
export * from "./engine-client.ts";
export * from "./leak-check.ts";
export * from "./process.ts";
export * from "./run-program.ts";
export * from "./temp-dir.ts";
