import { defineCommand } from "../command.ts";
import { Failure } from "../failure.ts";
import { integer, text } from "../flags/flag.ts";
import { containerPath } from "../shared/container-path.ts";
import { operateOnEach } from "../shared/operate-on-each.ts";

export const command = defineCommand({
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  summary: "Stop one or more running containers",
  flags: {
    signal: text("Signal to send to the container", { short: "s" }),
    time: integer("Seconds to wait before killing the container", { hidden: true }),
    timeout: integer("Seconds to wait before killing the container", { short: "t" }),
  },
  operands: { min: 1, max: Number.POSITIVE_INFINITY },
  completes: "running-container",
  async run(context, { flags, changed, operands }) {
    if (changed.has("time") && changed.has("timeout")) {
      throw new Failure("conflicting options: cannot specify both --timeout and --time");
    }
    // Zero is a timeout, too: kill at once.
    const t = changed.has("time") ? String(flags.time) : changed.has("timeout") ? String(flags.timeout) : undefined;
    await operateOnEach(context, operands, (name) =>
      context.api.call("POST", containerPath(name, "/stop"), { query: { t, signal: flags.signal } }),
    );
  },
});
