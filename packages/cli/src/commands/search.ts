import { defineCommand } from "../command.ts";
import { authHeaders } from "../credentials/registry-auth.ts";
import { bool, filter, integer } from "../flags/flag.ts";
import { formatRows } from "../format/list-writer.ts";
import type { RowType } from "../format/row.ts";
import { filterQuery, formatFlag } from "../shared/list-defaults.ts";

interface Found {
  readonly name: string;
  readonly description: string;
  readonly star_count: number;
  readonly is_official: boolean;
  readonly is_automated: boolean;
}

const LONGEST = 45;

function shortened(text: string, truncate: boolean): string {
  const line = text.replaceAll(/[\r\n]/g, " ");
  return truncate && line.length > LONGEST ? `${line.slice(0, LONGEST - 1)}…` : line;
}

const foundRow: RowType<Found> = {
  goName: "formatter.SearchContext",
  columns: {
    Name: { header: "NAME", value: ({ name }) => name },
    Description: {
      header: "DESCRIPTION",
      value: ({ description }, { truncate }) => shortened(description, truncate),
    },
    StarCount: { header: "STARS", value: ({ star_count }) => String(star_count) },
    IsOfficial: { header: "OFFICIAL", value: ({ is_official }) => (is_official ? "[OK]" : "") },
    IsAutomated: { header: "AUTOMATED", value: ({ is_automated }) => (is_automated ? "[OK]" : "") },
  },
};

const TABLE = "table {{.Name}}\t{{.Description}}\t{{.StarCount}}\t{{.IsOfficial}}";

export const command = defineCommand({
  usage: "[OPTIONS] TERM",
  summary: "Search a registry for images",
  flags: {
    filter: filter("Filter output based on conditions provided"),
    format: formatFlag,
    limit: integer("Max number of search results"),
    "no-trunc": bool("Don't truncate output"),
  },
  operands: { min: 1, max: 1 },
  async run(context, { flags, operands: [term = ""] }) {
    const found = await context.api.json<readonly Found[]>("GET", "/images/search", {
      query: { term, limit: flags.limit, filters: filterQuery(flags.filter) },
      headers: await authHeaders(await context.config(), term),
    });
    const format = flags.format === "" || flags.format === "table" ? TABLE : flags.format;
    context.stdout.write(formatRows(foundRow, found, format, { truncate: !flags["no-trunc"], now: Date.now() }));
  },
});
