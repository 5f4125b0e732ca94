export type * from "./instruction.ts";
export { findStage, type ParseOptions, parseContainerfile, parseTrigger } from "./parse.ts";
export { parseMount } from "./parse-mount.ts";
export { ContainerfileError, type LineRange, type Place, refuse } from "./source.ts";
