import { defineCommand } from "../command.ts";
import { runKubectlWords } from "../shared/run-kubectl.ts";

export const command = defineCommand({
  usage: "TYPE/NAME [TYPE/NAME ...] [-n NAMESPACE]",
  summary: "Tell why objects of the cluster are not as they should be, and what helps",
  flags: {},
  raw: true,
  operands: { max: Number.POSITIVE_INFINITY },
  run: (context, { operands }) => runKubectlWords(context, ["why", ...operands]),
});
