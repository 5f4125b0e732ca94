import { defineCommand } from "../command.ts";
import { print } from "../context.ts";
import { Failure } from "../failure.ts";
import { text } from "../flags/flag.ts";
import { pushFiles, pushFilesFlags } from "../shared/artifact-file.ts";

export const command = defineCommand({
  usage: "[OPTIONS] --artifact-type TYPE NAME[:TAG|@DIGEST] FILE[:TYPE]...",
  summary: "Attach files to an image or artifact in a registry, as a referrer",
  flags: {
    ...pushFilesFlags,
    "artifact-type": text("What the files are together, as a media type", { hint: "type" }),
  },
  operands: { min: 2, max: Number.POSITIVE_INFINITY },
  async run(context, { flags, operands: [name = "", ...files] }) {
    if (flags["artifact-type"] === "") throw new Failure("--artifact-type is needed: it says what is attached");
    const artifactType = flags["artifact-type"];
    const pushed = await pushFiles(context, flags, { name, files, artifactType, attach: true });
    print(context, `Attached to ${pushed.name}`);
    print(context, `Digest: ${pushed.digest}`);
  },
});
