import { defineCommand } from "../command.ts";
import { alignTabs } from "../format/tab-writer.ts";
import { containerPath } from "../shared/container-path.ts";

export const command = defineCommand({
  usage: "CONTAINER [ps OPTIONS]",
  summary: "Display the running processes of a container",
  flags: {},
  operands: { min: 1, max: Number.POSITIVE_INFINITY },
  interspersed: false,
  completes: "running-container",
  async run(context, { operands: [name = "", ...args] }) {
    const { Titles, Processes } = await context.api.json<{
      readonly Titles: readonly string[];
      readonly Processes: readonly (readonly string[])[] | null;
    }>("GET", containerPath(name, "/top"), { query: { ps_args: args.join(" ") } });
    const lines = [Titles, ...(Processes ?? [])].map((cells) => `${cells.join("\t")}\n`).join("");
    context.stdout.write(alignTabs(lines, { minWidth: 20 }));
  },
});
