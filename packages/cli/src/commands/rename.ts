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
    await context.api.call("POST", containerPath(from, "/rename"), { query: { name: to } });
  },
});
