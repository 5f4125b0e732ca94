export { type BuildkitDoor, type BuildkitDoorOptions, bothBuilders, openBuildkitDoor } from "./buildkit/door.ts";
export { type ClassicDoor, classicDoor } from "./classic/classic-door.ts";
export * from "./contract.ts";
export { endFilesWorkers } from "./files/files.ts";
export type * from "./remote/remote-build.ts";
export { Builder } from "./solver/builder.ts";
export type * from "./working/working-contract.ts";
