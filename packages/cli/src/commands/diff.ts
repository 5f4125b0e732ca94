import { defineCommand } from "../command.ts";
import { formatRows } from "../format/list-writer.ts";
import type { RowType } from "../format/row.ts";
import { containerPath } from "../shared/container-path.ts";
import { formatFlag } from "../shared/list-defaults.ts";

interface Change {
  readonly Path: string;
  /** 0 changed, 1 added, 2 deleted. */
  readonly Kind: number;
}

const changeRow: RowType<Change> = {
  goName: "container.diffContext",
  columns: {
    Path: { header: "PATH", value: ({ Path }) => Path },
    Type: { header: "CHANGE TYPE", value: ({ Kind }) => ["C", "A", "D"][Kind] ?? "?" },
  },
};

export const command = defineCommand({
  usage: "CONTAINER",
  summary: "Inspect changes to files or directories on a container's filesystem",
  flags: { format: formatFlag },
  operands: { min: 1, max: 1 },
  completes: "container",
  async run(context, { flags, operands: [name = ""] }) {
    const changes = await context.api.json<readonly Change[] | null>("GET", containerPath(name, "/changes"));
    const format =
      flags.format === ""
        ? "{{.Type}} {{.Path}}"
        : flags.format === "table"
          ? "table {{.Type}}\t{{.Path}}"
          : flags.format;
    context.stdout.write(formatRows(changeRow, changes ?? [], format, { truncate: true, now: Date.now() }));
  },
});
