export * from "./config-file.ts";
export * from "./options.ts";
export * from "./run-daemon.ts";
