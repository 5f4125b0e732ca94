import type { KustomizeOptions } from "@boxship/kubectl";
import type { Context } from "../context.ts";
import { Exit } from "../failure.ts";
import { rawTerminal } from "../stream/raw-terminal.ts";
import { kubeconfigOf } from "./cluster-process.ts";
import { helmFor } from "./run-helm.ts";
import { runProgram } from "./run-program.ts";

/** kubectl's words, for the cluster that the user's configuration names. @throws Exit with its status */
export async function runKubectlWords(context: Context, words: readonly string[]): Promise<void> {
  const { stdin, stdout, stderr, env, instance } = context;
  const { runKubectl } = await import("@boxship/kubectl");
  // Who has no configuration at all means the cluster of this instance.
  const own = kubeconfigOf(instance, env);
  const surroundings = own === undefined ? env : { ...env, KUBECONFIG: own };
  const io = {
    stdin,
    stdout,
    stderr,
    env: surroundings,
    run: runProgram,
    kustomize: build,
    rawTerminal: () => rawTerminal(context, true),
  };
  const status = await runKubectl(words, io);
  if (status !== 0) throw new Exit(status);
}

async function build(path: string, { helm, ...options }: KustomizeOptions): Promise<string> {
  const { buildKustomization } = await import("@boxship/kustomize");
  const charts = helm && { ...helm, run: helmFor(helm.command) };
  return await buildKustomization(path, { ...options, helm: charts, run: runProgram });
}
