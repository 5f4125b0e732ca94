export type { Io, KustomizeOptions, Sink } from "./io.ts";
export { runKubectl } from "./run-kubectl.ts";
