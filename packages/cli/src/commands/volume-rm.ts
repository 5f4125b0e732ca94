import { defineCommand } from "../command.ts";
import { print } from "../context.ts";
import { Failure } from "../failure.ts";
import { bool } from "../flags/flag.ts";
import { throwAll } from "../shared/operate-on-each.ts";

export const command = defineCommand({
  usage: "[OPTIONS] VOLUME [VOLUME...]",
  summary: "Remove one or more volumes. You cannot remove a volume that is in use by a container.",
  flags: { force: bool("Force the removal of one or more volumes", { short: "f" }) },
  operands: { min: 1, max: Number.POSITIVE_INFINITY },
  completes: "volume",
  async run(context, { flags, operands }) {
    const failures: Failure[] = [];
    for (const name of operands) {
      try {
        await context.api.call("DELETE", `/volumes/${encodeURIComponent(name)}`, { query: { force: flags.force } });
        print(context, name);
      } catch (error) {
        if (!(error instanceof Failure)) throw error;
        failures.push(error);
      }
    }
    throwAll(failures);
  },
});
