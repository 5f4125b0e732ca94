import { defineCommand } from "../command.ts";
import { bool, text } from "../flags/flag.ts";
import { parseDuration } from "../format/parse-duration.ts";
import { containerPath } from "../shared/container-path.ts";
import { toTimestamp } from "../shared/timestamp.ts";
import { demultiplex } from "../stream/demultiplex.ts";
import { writeAll } from "../stream/write-all.ts";

export const command = defineCommand({
  usage: "[OPTIONS] CONTAINER",
  summary: "Fetch the logs of a container",
  flags: {
    details: bool("Show extra details provided to logs"),
    follow: bool("Follow log output", { short: "f" }),
    since: text('Show logs since timestamp (e.g. "2013-01-02T13:23:37Z") or relative (e.g. "42m" for 42 minutes)'),
    tail: text("Number of lines to show from the end of the logs", { short: "n", initial: "all" }),
    timestamps: bool("Show timestamps", { short: "t" }),
    until: text('Show logs before a timestamp (e.g. "2013-01-02T13:23:37Z") or relative (e.g. "42m" for 42 minutes)'),
  },
  operands: { min: 1, max: 1 },
  completes: "container",
  async run(context, { flags, operands: [name = ""] }) {
    const { Id, Config } = await context.api.json<{ readonly Id: string; readonly Config: { readonly Tty: boolean } }>(
      "GET",
      containerPath(name, "/json"),
    );
    const now = Date.now();
    const response = await context.api.open("GET", `/containers/${Id}/logs`, {
      query: {
        stdout: true,
        stderr: true,
        since: toTimestamp(flags.since, now, parseDuration),
        until: toTimestamp(flags.until, now, parseDuration),
        timestamps: flags.timestamps,
        follow: flags.follow,
        tail: flags.tail,
        details: flags.details,
      },
    });
    if (!Config.Tty) {
      await demultiplex(response.body, { stdout: context.stdout, stderr: context.stderr });
      return;
    }
    for await (const chunk of response.body) await writeAll(context.stdout, chunk as Buffer);
  },
});
