import { stat } from "node:fs/promises";
import { dirname } from "node:path";
import { defineCommand } from "../command.ts";
import { Failure } from "../failure.ts";
import { text } from "../flags/flag.ts";
import { platformJson } from "../format/platform.ts";
import { imagePath } from "../shared/container-path.ts";
import { describeFileError } from "../shared/system-error.ts";
import { writeOutput } from "../shared/write-output.ts";

export const command = defineCommand({
  usage: "[OPTIONS] IMAGE [IMAGE...]",
  summary: "Save one or more images to a tar archive (streamed to STDOUT by default)",
  flags: {
    output: text("Write to a file, instead of STDOUT", { short: "o" }),
    platform: text('Save only the given platform variant. Formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")'),
  },
  operands: { min: 1, max: Number.POSITIVE_INFINITY },
  completes: "image",
  async run(context, { flags, operands: names }) {
    if (flags.output === "" && context.stdout.isTTY) {
      throw new Failure("cowardly refusing to save to a terminal. Use the -o flag or redirect");
    }
    await checkOutput(flags.output);
    const platform = platformJson(flags.platform);
    const [only = "", ...others] = names;
    const response =
      others.length === 0
        ? await context.api.open("GET", imagePath(only, "/get"), { query: { platform } })
        : await context.api.open("GET", "/images/get", { query: { names, platform } });
    await writeOutput(context, response.body, flags.output);
  },
});

/** Before the engine is asked for much. */
async function checkOutput(path: string): Promise<void> {
  if (path === "" || path === "-") return;
  const directory = dirname(path);
  await stat(directory).catch((error: unknown) => {
    const why = describeFileError("stat", directory, error);
    throw new Failure(`failed to save image: invalid output path: ${why}`, { cause: error });
  });
  const target = await stat(path).catch(() => undefined);
  if (target?.isDirectory()) throw new Failure("failed to save image: cannot write to a directory");
}
