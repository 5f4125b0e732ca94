import { type Context, warn } from "../context.ts";
import type { ConfigContent } from "../credentials/config-file.ts";
import { text } from "../flags/flag.ts";

/** `--format` of the lists. */
export const formatFlag = text(
  "Format output using a custom template: 'table' (default), 'table TEMPLATE', 'json' or a Go template",
);

/** `--format` of what describes single objects. */
export const inspectFormatFlag = text("Format output using a custom template: 'json' or a Go template", { short: "f" });

type FormatMember = "psFormat" | "imagesFormat" | "networksFormat" | "volumesFormat" | "statsFormat";

/** The format of a list: the flag's, else the user's own default, else the table. */
export async function chooseFormat(
  context: Context,
  given: string,
  member: FormatMember,
  quiet: boolean,
): Promise<string> {
  if (given !== "") return given;
  const content: ConfigContent = (await context.config()).content;
  return (quiet ? undefined : content[member]) || "table";
}

export function warnIgnoredFormat(context: Context): void {
  warn(context, "WARNING: Ignoring custom format, because both --format and --quiet are set.");
}

/** Filters as the engine's lists take them. */
export function filterQuery(filters: Readonly<Record<string, readonly string[]>>): string | undefined {
  return Object.keys(filters).length === 0 ? undefined : JSON.stringify(filters);
}
