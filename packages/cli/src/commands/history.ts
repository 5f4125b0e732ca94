import { defineCommand } from "../command.ts";
import { bool, text } from "../flags/flag.ts";
import { type HistoryItem, historyFormat, historyRow } from "../format/history-row.ts";
import { formatRows } from "../format/list-writer.ts";
import { platformJson } from "../format/platform.ts";
import { imagePath } from "../shared/container-path.ts";
import { formatFlag } from "../shared/list-defaults.ts";

export const command = defineCommand({
  usage: "[OPTIONS] IMAGE",
  summary: "Show the history of an image",
  flags: {
    format: formatFlag,
    human: bool("Print sizes and dates in human readable format", { short: "H", initial: true }),
    "no-trunc": bool("Don't truncate output"),
    platform: text('Show history for the given platform. Formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")'),
    quiet: bool("Only show image IDs", { short: "q" }),
  },
  operands: { min: 1, max: 1 },
  completes: "image",
  async run(context, { flags, operands: [image = ""] }) {
    const items = await context.api.json<readonly HistoryItem[]>("GET", imagePath(image, "/history"), {
      query: { platform: platformJson(flags.platform) },
    });
    const view = { truncate: !flags["no-trunc"], now: Date.now() };
    const format = historyFormat(flags.format, flags.quiet, flags.human);
    context.stdout.write(formatRows(historyRow(flags.human), items, format, view));
  },
});
