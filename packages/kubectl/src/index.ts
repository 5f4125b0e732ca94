export type { Io, Sink } from "./io.ts";
export { runKubectl } from "./run-kubectl.ts";
