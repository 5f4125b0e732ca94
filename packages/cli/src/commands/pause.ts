import { defineCommand } from "../command.ts";
import { containerPath } from "../shared/container-path.ts";
import { operateOnEach } from "../shared/operate-on-each.ts";

export const command = defineCommand({
  usage: "CONTAINER [CONTAINER...]",
  summary: "Pause all processes within one or more containers",
  flags: {},
  operands: { min: 1, max: Number.POSITIVE_INFINITY },
  completes: "running-container",
  async run(context, { operands }) {
    await operateOnEach(context, operands, (name) => context.api.call("POST", containerPath(name, "/pause")));
  },
});
