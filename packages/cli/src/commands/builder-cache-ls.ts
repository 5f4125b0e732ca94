import { defineCommand } from "../command.ts";
import { print } from "../context.ts";
import { bool } from "../flags/flag.ts";
import { humanSize } from "../format/units.ts";

interface CacheMount {
  readonly ID: string;
  readonly Size: number;
  readonly InUse: boolean;
  readonly LastUsedAt: string;
  readonly UsageCount: number;
}

export const command = defineCommand({
  usage: "[OPTIONS]",
  summary: "List cache mounts",
  flags: { quiet: bool("Only display ids", { short: "q" }) },
  operands: { min: 0, max: 0 },
  async run(context, { flags }) {
    const mounts = await context.api.json<readonly CacheMount[]>("GET", "/boxship/build/mounts");
    const sorted = mounts.toSorted((a, b) => (a.ID < b.ID ? -1 : 1));
    if (flags.quiet) {
      for (const { ID } of sorted) print(context, ID);
      return;
    }
    const rows = [
      ["ID", "SIZE", "IN USE", "USES", "LAST USED"],
      ...sorted.map(({ ID, Size, InUse, UsageCount, LastUsedAt }) => [
        ID,
        humanSize(Size),
        String(InUse),
        String(UsageCount),
        LastUsedAt,
      ]),
    ];
    const widths = [0, 1, 2, 3].map((column) => Math.max(...rows.map((row) => (row[column] ?? "").length)));
    for (const row of rows) {
      const cells = row.map((cell, index) => cell.padEnd((widths[index] ?? 0) + 3));
      print(context, cells.join("").trimEnd());
    }
  },
});
