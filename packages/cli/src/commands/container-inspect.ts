import { defineCommand } from "../command.ts";
import { bool } from "../flags/flag.ts";
import { inspectAll, inspectors } from "../shared/inspect.ts";
import { inspectFormatFlag } from "../shared/list-defaults.ts";

export const command = defineCommand({
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  summary: "Display detailed information on one or more containers",
  flags: {
    format: inspectFormatFlag,
    size: bool("Display total file sizes", { short: "s" }),
  },
  operands: { min: 1, max: Number.POSITIVE_INFINITY },
  completes: "container",
  async run(context, { flags, operands }) {
    await inspectAll(context, operands, flags.format, (name) => inspectors.container(context, name, flags.size));
  },
});
