export { type BuildOptions, buildKustomization } from "./build.ts";
export { COMMANDS, type KustomizeCommand, REFUSED_COMMANDS } from "./command/commands.ts";
export { runKustomize } from "./command/run-kustomize.ts";
export type { KustomizeIo } from "./edit/context.ts";
export { BuildFailure } from "./failure.ts";
export type { HelmOptions, RunHelm } from "./target/inflate-chart.ts";
