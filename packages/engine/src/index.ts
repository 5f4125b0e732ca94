export * from "./container/config.ts";
export * from "./container/record.ts";
export * from "./container/state.ts";
export * from "./engine-api.ts";
export * from "./errors.ts";
