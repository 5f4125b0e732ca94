import { defineCommand } from "../command.ts";
import { bool } from "../flags/flag.ts";
import { recreate } from "../flags/recreate.ts";
import { containerPath } from "../shared/container-path.ts";

export const command = defineCommand({
  usage: "[OPTIONS] CONTAINER PATH...",
  summary: "Take mounts of a container away, at once if it runs",
  flags: { recreate, volumes: bool("Remove anonymous volumes that were mounted there", { short: "v" }) },
  operands: { min: 2, max: Number.POSITIVE_INFINITY },
  completes: "container",
  async run(context, { flags, operands: [name = "", ...paths] }) {
    for (const target of paths) {
      const query = { target, v: flags.volumes, recreate: flags.recreate };
      await context.api.call("DELETE", `/boxship${containerPath(name, "/mounts")}`, { query });
    }
  },
});
