import { defineCommand } from "../command.ts";
import { commandTable } from "../command-table.ts";
import { complete } from "../completion/complete.ts";

/** What shells ask; its words are another command's, flags and all. */
export const command = defineCommand({
  usage: "[WORD...]",
  summary: "Print what could stand at the end of a command line",
  flags: {},
  operands: { max: Number.POSITIVE_INFINITY },
  interspersed: false,
  raw: true,
  async run(context, { operands }) {
    for (const candidate of await complete(context, commandTable, operands)) context.stdout.write(`${candidate}\n`);
  },
});
