export { type ExposedPorts, parseExposedPorts } from "./exposed-ports.ts";
export type * from "./instruction.ts";
export { findStage, type ParseOptions, parseContainerfile, parseTrigger } from "./parse.ts";
export { descriptionOf } from "./parse-instruction.ts";
export { parseMount } from "./parse-mount.ts";
export {
  ContainerfileError,
  type Excerpt,
  excerptOf,
  type LineRange,
  type Place,
  refuse,
  showLines,
} from "./source.ts";
