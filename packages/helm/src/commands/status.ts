import { defineCommand } from "../command.ts";
import { int, str } from "../flags.ts";
import { printAs, statusText } from "../print-release.ts";
import { openStorage } from "../release-access.ts";

export const command = defineCommand({
  usage: "RELEASE [flags]",
  summary: "Show what state a release is in",
  operands: { min: 1, max: 1 },
  flags: { output: str("table", { short: "o" }), revision: int() },
  async run(surroundings, { flags, operands }) {
    const release = await (await openStorage(surroundings)).get(operands[0] ?? "", flags.revision);
    if (!printAs(flags.output, release, surroundings)) surroundings.print(statusText(release, true));
  },
});
