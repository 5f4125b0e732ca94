import { createWriteStream } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { defineCommand } from "../command.ts";
import { Failure } from "../failure.ts";
import { text } from "../flags/flag.ts";
import { containerPath } from "../shared/container-path.ts";
import { writeAll } from "../stream/write-all.ts";

export const command = defineCommand({
  usage: "[OPTIONS] CONTAINER",
  summary: "Export a container's filesystem as a tar archive",
  flags: { output: text("Write to a file, instead of STDOUT", { short: "o" }) },
  operands: { min: 1, max: 1 },
  completes: "container",
  async run(context, { flags, operands: [name = ""] }) {
    if (flags.output === "" && context.stdout.isTTY) {
      throw new Failure("cowardly refusing to save to a terminal. Use the -o flag or redirect");
    }
    const response = await context.api.open("GET", containerPath(name, "/export"));
    if (flags.output === "") {
      for await (const chunk of response.body) await writeAll(context.stdout, chunk as Buffer);
      return;
    }
    // The file appears when it is whole.
    const temporary = `${flags.output}.${process.pid}.tmp`;
    try {
      await pipeline(response.body, createWriteStream(temporary, { flags: "wx" }));
      await rename(temporary, flags.output);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  },
});
