export * from "./contract.ts";
export { connectCri } from "./cri-client.ts";
export { CriDoor } from "./cri-door.ts";
export { criHandlers } from "./engine-cri.ts";
export { inProcessCri } from "./in-process.ts";
export type * from "./messages/calls.ts";
export type * from "./messages/config.ts";
export type * from "./messages/status.ts";
export * from "./messages/values.ts";
