import { defineCommand } from "../command.ts";
import { print } from "../context.ts";
import { bool } from "../flags/flag.ts";
import { alignTabs } from "../format/tab-writer.ts";
import { humanDuration, humanSize } from "../format/units.ts";

interface Snapshot {
  readonly Name: string;
  readonly CreatedAt: string;
  readonly Size: number;
}

export const command = defineCommand({
  usage: "[OPTIONS] VOLUME",
  summary: "List the snapshots of a volume",
  flags: { quiet: bool("Only display names", { short: "q" }) },
  operands: { min: 1, max: 1 },
  completes: "volume",
  async run(context, { flags, operands: [name = ""] }) {
    const path = `/boxship/volumes/${encodeURIComponent(name)}/snapshots`;
    const snapshots = await context.api.json<readonly Snapshot[]>("GET", path);
    if (flags.quiet) {
      for (const { Name } of snapshots) print(context, Name);
      return;
    }
    const rows = snapshots.map(({ Name, CreatedAt, Size }) => [
      Name,
      `${humanDuration(Date.now() - Date.parse(CreatedAt))} ago`,
      humanSize(Size, 3),
    ]);
    const lines = [["SNAPSHOT", "CREATED", "SIZE"], ...rows].map((cells) => `${cells.join("\t")}\n`);
    context.stdout.write(alignTabs(lines.join("")));
  },
});
