import type { Readable } from "node:stream";
import { defineCommand } from "../command.ts";
import type { Context } from "../context.ts";
import { Failure } from "../failure.ts";
import { bool, text } from "../flags/flag.ts";
import { platformJson } from "../format/platform.ts";
import { archiveInput } from "../shared/archive-input.ts";
import { showProgress } from "../stream/progress.ts";

export const command = defineCommand({
  usage: "[OPTIONS]",
  summary: "Load an image from a tar archive or STDIN",
  flags: {
    input: text("Read from tar archive file, instead of STDIN", { short: "i" }),
    platform: text('Load only the given platform variant. Formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")'),
    quiet: bool("Suppress the load output", { short: "q" }),
  },
  async run(context, { flags }) {
    const stream = await openInput(context, flags.input);
    // Bars make sense on a terminal only; the lines that name the images are always shown.
    const quiet = flags.quiet || !context.stdout.isTTY;
    const response = await context.api.open("POST", "/images/load", {
      query: { quiet: quiet ? "1" : "0", platform: platformJson(flags.platform) },
      stream,
      headers: { "Content-Type": "application/x-tar" },
    });
    await showProgress(response.body, { output: context.stdout });
  },
});

function openInput(context: Context, path: string): Promise<Readable> {
  if (path !== "" && path !== "-") return archiveInput(context, path);
  if (!context.stdin.isTTY) return archiveInput(context, "-");
  throw new Failure("requested load from stdin, but stdin is empty", {
    remedy: "name the archive with --input, or redirect standard input from it",
  });
}
