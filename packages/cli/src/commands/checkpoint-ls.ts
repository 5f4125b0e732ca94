import { defineCommand } from "../command.ts";
import { print } from "../context.ts";
import { text } from "../flags/flag.ts";
import { containerPath } from "../shared/container-path.ts";

export const command = defineCommand({
  usage: "[OPTIONS] CONTAINER",
  summary: "List checkpoints for a container",
  flags: { "checkpoint-dir": text("Use a custom checkpoint storage directory") },
  operands: { min: 1, max: 1 },
  completes: "container",
  async run(context, { flags, operands: [name = ""] }) {
    const query = { dir: flags["checkpoint-dir"] };
    const list = await context.api.json<readonly { readonly Name: string }[]>(
      "GET",
      containerPath(name, "/checkpoints"),
      { query },
    );
    print(context, ["CHECKPOINT NAME", ...list.map(({ Name }) => Name)].join("\n"));
  },
});
