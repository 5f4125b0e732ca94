import { defineCommand } from "../command.ts";
import { print } from "../context.ts";
import { Failure } from "../failure.ts";
import { containerPath } from "../shared/container-path.ts";
import { throwAll } from "../shared/operate-on-each.ts";

export const command = defineCommand({
  usage: "CONTAINER [CONTAINER...]",
  summary: "Block until one or more containers stop, then print their exit codes",
  flags: {},
  operands: { min: 1, max: Number.POSITIVE_INFINITY },
  completes: "running-container",
  async run(context, { operands }) {
    const failures: Failure[] = [];
    for (const name of operands) {
      try {
        const answer = await context.api.json<{ readonly StatusCode: number }>("POST", containerPath(name, "/wait"));
        print(context, String(answer.StatusCode));
      } catch (error) {
        if (!(error instanceof Failure)) throw error;
        failures.push(error);
      }
    }
    throwAll(failures);
  },
});
