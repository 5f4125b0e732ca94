export type { Io, KustomizeOptions, RunOptions, Sink } from "./io.ts";
export { runKubectl } from "./run-kubectl.ts";
