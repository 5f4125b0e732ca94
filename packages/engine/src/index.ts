export * from "./container/config.ts";
export * from "./container/record.ts";
export * from "./container/state.ts";
export * from "./engine.ts";
export * from "./engine-api.ts";
export * from "./errors.ts";
export * from "./options.ts";
export { VERSION } from "./system/version.ts";
