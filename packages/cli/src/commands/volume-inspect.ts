import { defineCommand } from "../command.ts";
import { inspectAll, inspectors } from "../shared/inspect.ts";
import { inspectFormatFlag } from "../shared/list-defaults.ts";

export const command = defineCommand({
  usage: "[OPTIONS] VOLUME [VOLUME...]",
  summary: "Display detailed information on one or more volumes",
  flags: {
    format: inspectFormatFlag,
  },
  operands: { min: 1, max: Number.POSITIVE_INFINITY },
  completes: "volume",
  async run(context, { flags, operands }) {
    await inspectAll(context, operands, flags.format, (name) => inspectors.volume(context, name));
  },
});
