import { defineCommand } from "../command.ts";
import { completeHelm } from "../complete-helm.ts";

export const command = defineCommand({
  usage: "WORD...",
  summary: "Print what could stand at the end of a command line",
  operands: { min: 0, max: Number.POSITIVE_INFINITY },
  flags: {},
  async run(surroundings, { operands }) {
    for (const candidate of await completeHelm(operands, surroundings.io)) surroundings.print(candidate);
  },
});
