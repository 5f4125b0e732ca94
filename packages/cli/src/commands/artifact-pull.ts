import { pullArtifact } from "@boxship/images";
import { formatReference, parseReference, withDefaultTag } from "@boxship/oci";
import { defineCommand } from "../command.ts";
import { print, warn } from "../context.ts";
import { text } from "../flags/flag.ts";
import { accessFlags, registryAccess } from "../shared/registry-access.ts";

export const command = defineCommand({
  usage: "[OPTIONS] NAME[:TAG|@DIGEST]",
  summary: "Write the files of an artifact in a registry to a directory",
  flags: { ...accessFlags, output: text("Directory to write to", { short: "o", initial: ".", hint: "directory" }) },
  operands: { min: 1, max: 1 },
  async run(context, { flags, operands: [name = ""] }) {
    const reference = withDefaultTag(parseReference(name));
    await using client = registryAccess(context, flags, reference.domain);
    const pulled = await pullArtifact({ client, reference, directory: flags.output });
    for (const { digest, mediaType } of pulled.skipped)
      warn(context, `Skipped ${digest} (${mediaType}): it has no name`);
    for (const file of pulled.files) print(context, `Downloaded ${file}`);
    print(context, `Pulled ${formatReference(reference)}`);
    print(context, `Digest: ${pulled.digest}`);
  },
});
