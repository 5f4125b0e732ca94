import { isNotFound } from "../api-client/api-error.ts";
import { defineCommand } from "../command.ts";
import { print, warn } from "../context.ts";
import { Exit, Failure } from "../failure.ts";
import { bool } from "../flags/flag.ts";

export const command = defineCommand({
  usage: "NETWORK [NETWORK...]",
  summary: "Remove one or more networks",
  flags: { force: bool("Do not error if the network does not exist", { short: "f" }) },
  operands: { min: 1, max: Number.POSITIVE_INFINITY },
  completes: "network",
  async run(context, { flags, operands }) {
    let failed = false;
    for (const name of operands) {
      try {
        await context.api.call("DELETE", `/networks/${encodeURIComponent(name)}`);
        print(context, name);
      } catch (error) {
        if (!(error instanceof Failure)) throw error;
        if (flags.force && isNotFound(error)) continue;
        warn(context, error.message);
        if (error.remedy !== undefined) warn(context, `Hint: ${error.remedy}`);
        failed = true;
      }
    }
    if (failed) throw new Exit(1);
  },
});
