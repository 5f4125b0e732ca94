import { defineCommand } from "../command.ts";
import { print } from "../context.ts";
import { bool, text } from "../flags/flag.ts";
import { containerPath } from "../shared/container-path.ts";

export const command = defineCommand({
  usage: "[OPTIONS] CONTAINER CHECKPOINT",
  summary: "Create a checkpoint from a running container",
  flags: {
    "checkpoint-dir": text("Use a custom checkpoint storage directory"),
    "leave-running": bool("Leave the container running after checkpoint"),
  },
  operands: { min: 2, max: 2 },
  completes: "running-container",
  async run(context, { flags, operands: [name = "", checkpoint = ""] }) {
    const body = {
      CheckpointID: checkpoint,
      CheckpointDir: flags["checkpoint-dir"],
      Exit: !flags["leave-running"],
    };
    await context.api.call("POST", containerPath(name, "/checkpoints"), { body });
    print(context, checkpoint);
  },
});
