import { defineCommand } from "../command.ts";
import { text } from "../flags/flag.ts";
import { containerPath } from "../shared/container-path.ts";

export const command = defineCommand({
  usage: "[OPTIONS] CONTAINER CHECKPOINT",
  summary: "Remove a checkpoint",
  flags: { "checkpoint-dir": text("Use a custom checkpoint storage directory") },
  operands: { min: 2, max: 2 },
  completes: "container",
  async run(context, { flags, operands: [name = "", checkpoint = ""] }) {
    const path = containerPath(name, `/checkpoints/${encodeURIComponent(checkpoint)}`);
    await context.api.call("DELETE", path, { query: { dir: flags["checkpoint-dir"] } });
  },
});
