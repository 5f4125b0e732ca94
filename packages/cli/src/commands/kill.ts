import { defineCommand } from "../command.ts";
import { text } from "../flags/flag.ts";
import { containerPath } from "../shared/container-path.ts";
import { operateOnEach } from "../shared/operate-on-each.ts";

export const command = defineCommand({
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  summary: "Kill one or more running containers",
  flags: { signal: text("Signal to send to the container", { short: "s" }) },
  operands: { min: 1, max: Number.POSITIVE_INFINITY },
  completes: "running-container",
  async run(context, { flags, operands }) {
    await operateOnEach(context, operands, (name) =>
      context.api.call("POST", containerPath(name, "/kill"), { query: { signal: flags.signal } }),
    );
  },
});
