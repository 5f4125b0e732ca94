export * from "./contract.ts";
export * from "./detect.ts";
export * from "./limits.ts";
export * from "./stats.ts";
export * from "./tree.ts";
