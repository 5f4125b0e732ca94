import { defineCommand } from "../command.ts";
import { Exit } from "../failure.ts";
import { kubeconfigOf } from "../shared/cluster-process.ts";

export const command = defineCommand({
  usage: "COMMAND [ARG...]",
  summary: "Render, install and pack charts, in Helm's words",
  flags: {},
  raw: true,
  operands: { max: Number.POSITIVE_INFINITY },
  async run({ stdin, stdout, stderr, env, instance }, { operands }) {
    const { runHelm } = await import("@boxship/helm");
    // Who has no configuration at all means the cluster of this instance.
    const own = kubeconfigOf(instance, env);
    const surroundings = own === undefined ? env : { ...env, KUBECONFIG: own };
    const status = await runHelm(operands, { stdin, stdout, stderr, env: surroundings });
    if (status !== 0) throw new Exit(status);
  },
});
