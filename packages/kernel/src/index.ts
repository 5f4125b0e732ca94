export * from "./directory-entry.ts";
export * from "./errno.ts";
export * from "./fd.ts";
export * from "./file-data.ts";
export * from "./inode.ts";
export * from "./mount.ts";
export * from "./open.ts";
export * from "./xattr.ts";
