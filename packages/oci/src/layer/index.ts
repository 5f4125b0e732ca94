export * from "./blob-source.ts";
export * from "./compression.ts";
export * from "./tar/index.ts";
export * from "./unpack.ts";
