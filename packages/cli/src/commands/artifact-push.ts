import { pushArtifact } from "@boxship/images";
import { formatReference, parseReference, withDefaultTag } from "@boxship/oci";
import { defineCommand } from "../command.ts";
import { print } from "../context.ts";
import { keyValues, text } from "../flags/flag.ts";
import { artifactFile } from "../shared/artifact-file.ts";
import { accessFlags, registryAccess } from "../shared/registry-access.ts";

export const command = defineCommand({
  usage: "[OPTIONS] NAME[:TAG] FILE[:TYPE]...",
  summary: "Push files of any type to a registry",
  flags: {
    ...accessFlags,
    annotation: keyValues("Annotation of the manifest", { short: "a" }),
    "artifact-type": text("What the files are together, as a media type", { hint: "type" }),
    config: text("File that becomes the configuration", { hint: "file[:type]" }),
  },
  operands: { min: 2, max: Number.POSITIVE_INFINITY },
  async run(context, { flags, operands: [name = "", ...files] }) {
    const reference = withDefaultTag(parseReference(name));
    await using client = registryAccess(context, flags, reference.domain);
    const pushed = await pushArtifact({
      client,
      reference,
      files: files.map(artifactFile),
      artifactType: flags["artifact-type"] || undefined,
      config: flags.config === "" ? undefined : artifactFile(flags.config),
      annotations: flags.annotation,
    });
    print(context, `Pushed ${formatReference(reference)}`);
    print(context, `ArtifactType: ${pushed.artifactType ?? ""}`);
    print(context, `Digest: ${pushed.digest}`);
  },
});
