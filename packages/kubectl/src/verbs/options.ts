import { defineCommand } from "../command.ts";
import { globalFlags } from "../global-flags.ts";
import { flagRows } from "../help.ts";

export const command = defineCommand({
  usage: "",
  summary: "List of global command-line options (applies to all commands)",
  flags: {},
  async run(session) {
    session.print(`The following options can be passed to any command:\n\n${flagRows(globalFlags).join("\n")}\n`);
  },
});
