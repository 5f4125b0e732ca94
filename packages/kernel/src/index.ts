export * from "./errno.ts";
export * from "./mount.ts";
