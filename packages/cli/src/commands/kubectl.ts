import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { defineCommand } from "../command.ts";
import { Exit } from "../failure.ts";
import { kubeconfigOf } from "../shared/cluster-process.ts";

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
    const status = await runKubectl(operands, { stdin, stdout, stderr, env: surroundings, run: runProgram });
    if (status !== 0) throw new Exit(status);
  },
});

/** Editors have the terminal; what others print is collected. */
async function runProgram(
  program: string,
  args: readonly string[],
  { terminal = false }: { readonly terminal?: boolean } = {},
) {
  const child = spawn(program, args, { stdio: terminal ? "inherit" : ["ignore", "pipe", "pipe"] });
  const ended = new Promise<number>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (status, signal) => resolve(status ?? (signal === null ? 1 : 130)));
  });
  const [stdout, stderr, status] = await Promise.all([
    child.stdout === null ? "" : text(child.stdout),
    child.stderr === null ? "" : text(child.stderr),
    ended,
  ]);
  return { status, stdout, stderr };
}
