import { defineCommand } from "../command.ts";
import { bool, filter } from "../flags/flag.ts";
import { formatRows } from "../format/list-writer.ts";
import { naturalCompare } from "../format/natural-order.ts";
import { type ListedVolume, volumeFormat, volumeRow } from "../format/volume-row.ts";
import { chooseFormat, filterQuery, formatFlag } from "../shared/list-defaults.ts";

export const command = defineCommand({
  usage: "[OPTIONS]",
  summary: "List volumes",
  flags: {
    filter: filter('Provide filter values (e.g. "dangling=true")'),
    format: formatFlag,
    quiet: bool("Only display volume names", { short: "q" }),
  },
  async run(context, { flags }) {
    const { Volumes } = await context.api.json<{ readonly Volumes: readonly ListedVolume[] | null }>(
      "GET",
      "/volumes",
      {
        query: { filters: filterQuery(flags.filter) },
      },
    );
    const format = await chooseFormat(context, flags.format, "volumesFormat", flags.quiet);
    const sorted = (Volumes ?? []).toSorted((a, b) => naturalCompare(a.Name, b.Name));
    const view = { truncate: true, now: Date.now() };
    context.stdout.write(formatRows(volumeRow, sorted, volumeFormat(format, flags.quiet), view));
  },
});
