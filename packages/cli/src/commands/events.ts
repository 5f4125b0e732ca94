import { errorMessage } from "@boxship/base/errors";
import { parseJson, pointerTo, Template, templateFunctions, typed } from "@boxship/template";
import { defineCommand } from "../command.ts";
import { Failure } from "../failure.ts";
import { filter, text } from "../flags/flag.ts";
import { rfc3339Nano } from "../format/go-time.ts";
import { inspectType } from "../format/inspect-schema.ts";
import { parseDuration } from "../format/parse-duration.ts";
import { filterQuery } from "../shared/list-defaults.ts";
import { toTimestamp } from "../shared/timestamp.ts";
import { jsonTexts } from "../stream/json-lines.ts";
import { writeAll } from "../stream/write-all.ts";

/** An event as the engine sends it, its numbers exact. */
interface EngineEvent {
  readonly Type?: string;
  readonly Action?: string;
  readonly Actor?: { readonly ID?: string; readonly Attributes?: Readonly<Record<string, string>> | null };
  readonly time?: bigint;
  readonly timeNano?: bigint;
}

export const command = defineCommand({
  usage: "[OPTIONS]",
  summary: "Get real time events from the server",
  flags: {
    filter: filter(),
    format: text("Format output using a custom template: 'json' or a Go template"),
    since: text("Show all events created since timestamp"),
    until: text("Stream events until this timestamp"),
  },
  async run(context, { flags }) {
    const show = formatter(flags.format);
    const now = Date.now();
    const response = await context.api.open("GET", "/events", {
      query: {
        since: toTimestamp(flags.since, now, parseDuration),
        until: toTimestamp(flags.until, now, parseDuration),
        filters: filterQuery(flags.filter),
      },
    });
    for await (const json of jsonTexts(response.body)) await writeAll(context.stdout, `${show(parseJson(json))}\n`);
  },
});

/** How an event is shown; the format is tried on an empty one first. */
function formatter(format: string): (event: unknown) => string {
  if (format === "") return (event) => describeEvent(event as EngineEvent);
  const type = inspectType("events.Message");
  try {
    const template = new Template("", { functions: templateFunctions }).parse(
      format === "json" ? "{{json .}}" : format,
    );
    template.execute(typed(pointerTo(type), {}));
    return (event) => template.execute(typed(type, event));
  } catch (error) {
    throw new Failure(`Error parsing format: ${errorMessage(error)}`, { status: 64, cause: error });
  }
}

/** An event in one line: time, what, and the attributes sorted by name. */
export function describeEvent({ Type = "", Action = "", Actor = {}, time, timeNano }: EngineEvent): string {
  const nanoseconds = timeNano || (time === undefined ? undefined : time * 1_000_000_000n);
  const when = nanoseconds ? `${rfc3339Nano(nanoseconds)} ` : "";
  const attributes = Object.entries(Actor.Attributes ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${value}`);
  const details = attributes.length === 0 ? "" : ` (${attributes.join(", ")})`;
  return `${when}${Type} ${Action} ${Actor.ID ?? ""}${details}`;
}
