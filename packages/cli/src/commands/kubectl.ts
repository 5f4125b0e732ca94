import { defineCommand } from "../command.ts";
import { runKubectlWords } from "../shared/run-kubectl.ts";

export const command = defineCommand({
  usage: "COMMAND [ARG...]",
  summary: "Work with a Kubernetes cluster, in kubectl's words",
  flags: {},
  raw: true,
  operands: { max: Number.POSITIVE_INFINITY },
  run: (context, { operands }) => runKubectlWords(context, operands),
});
