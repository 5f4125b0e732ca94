import { defineCommand } from "../command.ts";
import { bool } from "../flags/flag.ts";
import { inspectAll, inspectors } from "../shared/inspect.ts";
import { inspectFormatFlag } from "../shared/list-defaults.ts";

export const command = defineCommand({
  usage: "[OPTIONS] NETWORK [NETWORK...]",
  summary: "Display detailed information on one or more networks",
  flags: {
    format: inspectFormatFlag,
    verbose: bool("Verbose output for diagnostics", { short: "v" }),
  },
  operands: { min: 1, max: Number.POSITIVE_INFINITY },
  completes: "network",
  async run(context, { flags, operands }) {
    await inspectAll(context, operands, flags.format, (name) => inspectors.network(context, name, flags.verbose));
  },
});
