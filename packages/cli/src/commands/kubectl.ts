import type { KustomizeOptions } from "@boxship/kubectl";
import { defineCommand } from "../command.ts";
import { Exit } from "../failure.ts";
import { kubeconfigOf } from "../shared/cluster-process.ts";
import { helmFor } from "../shared/run-helm.ts";
import { runProgram } from "../shared/run-program.ts";

export const command = defineCommand({
  usage: "COMMAND [ARG...]",
  summary: "Work with a Kubernetes cluster, in kubectl's words",
  flags: {},
  raw: true,
  operands: { max: Number.POSITIVE_INFINITY },
  async run({ stdin, stdout, stderr, env, instance }, { operands }) {
    const { runKubectl } = await import("@boxship/kubectl");
    // Who has no configuration at all means the cluster of this instance.
    const own = kubeconfigOf(instance, env);
    const surroundings = own === undefined ? env : { ...env, KUBECONFIG: own };
    const io = { stdin, stdout, stderr, env: surroundings, run: runProgram, kustomize: build };
    const status = await runKubectl(operands, io);
    if (status !== 0) throw new Exit(status);
  },
});

async function build(path: string, { helm, ...options }: KustomizeOptions): Promise<string> {
  const { buildKustomization } = await import("@boxship/kustomize");
  const charts = helm && { ...helm, run: helmFor(helm.command) };
  return await buildKustomization(path, { ...options, helm: charts, run: runProgram });
}
