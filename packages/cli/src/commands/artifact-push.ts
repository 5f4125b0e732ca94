import { defineCommand } from "../command.ts";
import { print } from "../context.ts";
import { text } from "../flags/flag.ts";
import { pushFiles, pushFilesFlags } from "../shared/artifact-file.ts";

export const command = defineCommand({
  usage: "[OPTIONS] NAME[:TAG] FILE[:TYPE]...",
  summary: "Push files of any type to a registry",
  flags: {
    ...pushFilesFlags,
    "artifact-type": text("What the files are together, as a media type", { hint: "type" }),
    config: text("File that becomes the configuration", { hint: "file[:type]" }),
  },
  operands: { min: 2, max: Number.POSITIVE_INFINITY },
  async run(context, { flags, operands: [name = "", ...files] }) {
    const { "artifact-type": artifactType, config } = flags;
    const pushed = await pushFiles(context, flags, { name, files, artifactType, config });
    print(context, `Pushed ${pushed.name}`);
    print(context, `ArtifactType: ${pushed.artifactType ?? ""}`);
    print(context, `Digest: ${pushed.digest}`);
  },
});
