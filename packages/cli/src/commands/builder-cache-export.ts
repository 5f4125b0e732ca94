import { defineCommand } from "../command.ts";
import { Failure } from "../failure.ts";
import { text } from "../flags/flag.ts";
import { writeOutput } from "../shared/write-output.ts";

export const command = defineCommand({
  usage: "[OPTIONS] ID",
  summary: "Export a cache mount's content as a tar archive",
  flags: { output: text("Write to a file, instead of STDOUT", { short: "o" }) },
  operands: { min: 1, max: 1 },
  async run(context, { flags, operands: [id = ""] }) {
    if (flags.output === "" && context.stdout.isTTY) {
      throw new Failure("cowardly refusing to save to a terminal. Use the -o flag or redirect");
    }
    const response = await context.api.open("GET", "/boxship/build/mounts/export", { query: { id } });
    await writeOutput(context, response.body, flags.output);
  },
});
