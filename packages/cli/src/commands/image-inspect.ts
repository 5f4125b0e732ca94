import { defineCommand } from "../command.ts";
import { inspectAll, inspectors } from "../shared/inspect.ts";
import { inspectFormatFlag } from "../shared/list-defaults.ts";

export const command = defineCommand({
  usage: "[OPTIONS] IMAGE [IMAGE...]",
  summary: "Display detailed information on one or more images",
  flags: {
    format: inspectFormatFlag,
  },
  operands: { min: 1, max: Number.POSITIVE_INFINITY },
  completes: "image",
  async run(context, { flags, operands }) {
    await inspectAll(context, operands, flags.format, (name) => inspectors.image(context, name));
  },
});
