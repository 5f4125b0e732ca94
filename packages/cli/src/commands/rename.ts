import { defineCommand } from "../command.ts";
import { Failure } from "../failure.ts";
import { containerPath } from "../shared/container-path.ts";

export const command = defineCommand({
  usage: "CONTAINER NEW_NAME",
  summary: "Rename a container",
  flags: {},
  operands: { min: 2, max: 2 },
  completes: "container",
  async run(context, { operands: [from = "", to = ""] }) {
    if (from.trim() === "" || to.trim() === "") throw new Failure("Error: Neither old nor new names may be empty");
    try {
      await context.api.call("POST", containerPath(from, "/rename"), { query: { name: to } });
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      const { message, status, remedy } = error;
      const details = remedy === undefined ? { status } : { status, remedy };
      throw new Failure(`${message}\nError: failed to rename container named ${from}`, details);
    }
  },
});
