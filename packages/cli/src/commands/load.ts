import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import type { Readable } from "node:stream";
import { systemCode } from "@boxship/base/errors";
import { defineCommand } from "../command.ts";
import type { Context } from "../context.ts";
import { Failure } from "../failure.ts";
import { bool, text } from "../flags/flag.ts";
import { platformJson } from "../format/platform.ts";
import { describeFileError } from "../shared/system-error.ts";
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

async function openInput(context: Context, path: string): Promise<Readable> {
  if (path === "" || path === "-") {
    if (!context.stdin.isTTY) return context.stdin;
    throw new Failure("requested load from stdin, but stdin is empty", {
      remedy: "name the archive with --input, or redirect standard input from it",
    });
  }
  try {
    const file = await open(path);
    return createReadStream(path, { fd: file, highWaterMark: 1 << 20 });
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    throw new Failure(describeFileError("open", path, error), { cause: error });
  }
}
