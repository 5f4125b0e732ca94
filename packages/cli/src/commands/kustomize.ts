import { defineCommand } from "../command.ts";
import { Exit } from "../failure.ts";
import { helmFor } from "../shared/run-helm.ts";
import { runProgram } from "../shared/run-program.ts";

export const command = defineCommand({
  usage: "COMMAND [ARG...]",
  summary: "Build and edit kustomizations, in kustomize's words",
  flags: {},
  raw: true,
  operands: { max: Number.POSITIVE_INFINITY },
  async run({ stdout, stderr }, { operands }) {
    const { runKustomize } = await import("@boxship/kustomize");
    const io = { stdout, stderr, directory: process.cwd(), run: runProgram, helm: helmFor };
    const status = await runKustomize(operands, io);
    if (status !== 0) throw new Exit(status);
  },
});
