import { defineCommand } from "../command.ts";
import { print } from "../context.ts";
import { Failure } from "../failure.ts";
import { throwAll } from "../shared/operate-on-each.ts";

export const command = defineCommand({
  usage: "NAME [NAME...]",
  summary: "Remove one or more further sockets",
  flags: {},
  operands: { min: 1, max: Number.POSITIVE_INFINITY },
  async run(context, { operands }) {
    const failures: Failure[] = [];
    for (const name of operands) {
      try {
        await context.api.call("DELETE", `/boxship/sockets/${encodeURIComponent(name)}`);
        print(context, name);
      } catch (error) {
        if (!(error instanceof Failure)) throw error;
        failures.push(error);
      }
    }
    throwAll(failures);
  },
});
