import { defineCommand } from "../command.ts";
import { type Context, print } from "../context.ts";
import { bool } from "../flags/flag.ts";
import { humanSize } from "../format/units.ts";

interface CacheRecord {
  readonly ID: string;
  readonly Type: string;
  readonly Description: string;
  readonly InUse: boolean;
  readonly Shared: boolean;
  readonly Size: number;
  readonly LastUsedAt: string;
  readonly UsageCount: number;
}

export const command = defineCommand({
  usage: "[OPTIONS]",
  summary: "Disk usage of the build cache",
  flags: { verbose: bool("Provide a more verbose output") },
  async run(context, { flags }) {
    const { BuildCache } = await context.api.json<{ readonly BuildCache: readonly CacheRecord[] | null }>(
      "GET",
      "/system/df",
      { query: { type: "build-cache" } },
    );
    const records = (BuildCache ?? []).toSorted((a, b) => b.Size - a.Size);
    if (flags.verbose) for (const record of records) printRecord(context, record);
    else printTable(context, records);
    const total = records.reduce((sum, { Size }) => sum + Size, 0);
    const shared = records.reduce((sum, { Shared, Size }) => sum + (Shared ? Size : 0), 0);
    print(context, `Shared:       ${humanSize(shared)}`);
    print(context, `Private:      ${humanSize(total - shared)}`);
    print(context, `Total:        ${humanSize(total)}`);
  },
});

function printTable(context: Context, records: readonly CacheRecord[]): void {
  const rows = [
    ["ID", "RECLAIMABLE", "SIZE", "TYPE", "DESCRIPTION"],
    ...records.map(({ ID, InUse, Size, Type, Description }) => {
      const text = Description.replaceAll(/\s+/g, " ");
      return [ID, String(!InUse), humanSize(Size), Type, text.length > 60 ? `${text.slice(0, 59)}…` : text];
    }),
  ];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...rows.map((row) => (row[column] ?? "").length)));
  for (const row of rows)
    print(
      context,
      row
        .map((cell, index) => cell.padEnd((widths[index] ?? 0) + 2))
        .join("")
        .trimEnd(),
    );
}

function printRecord(context: Context, record: CacheRecord): void {
  print(context, `ID:           ${record.ID}`);
  print(context, `Type:         ${record.Type}`);
  print(context, `Description:  ${record.Description}`);
  print(context, `Size:         ${humanSize(record.Size)}`);
  print(context, `Shared:       ${record.Shared}`);
  print(context, `Reclaimable:  ${!record.InUse}`);
  print(context, `Usage count:  ${record.UsageCount}`);
  print(context, `Last used:    ${record.LastUsedAt}\n`);
}
