import { pushArtifact } from "@boxship/images";
import { formatReference, parseReference, withDefaultTag } from "@boxship/oci";
import { defineCommand } from "../command.ts";
import { print } from "../context.ts";
import { Failure } from "../failure.ts";
import { keyValues, text } from "../flags/flag.ts";
import { artifactFile } from "../shared/artifact-file.ts";
import { accessFlags, registryAccess } from "../shared/registry-access.ts";

export const command = defineCommand({
  usage: "[OPTIONS] --artifact-type TYPE NAME[:TAG|@DIGEST] FILE[:TYPE]...",
  summary: "Attach files to an image or artifact in a registry, as a referrer",
  flags: {
    ...accessFlags,
    annotation: keyValues("Annotation of the manifest", { short: "a" }),
    "artifact-type": text("What the files are together, as a media type", { hint: "type" }),
  },
  operands: { min: 2, max: Number.POSITIVE_INFINITY },
  async run(context, { flags, operands: [name = "", ...files] }) {
    if (flags["artifact-type"] === "") throw new Failure("--artifact-type is needed: it says what is attached");
    const reference = withDefaultTag(parseReference(name));
    await using client = registryAccess(context, flags, reference.domain);
    const pushed = await pushArtifact({
      client,
      reference,
      files: files.map(artifactFile),
      artifactType: flags["artifact-type"],
      annotations: flags.annotation,
      attach: true,
    });
    print(context, `Attached to ${formatReference(reference)}`);
    print(context, `Digest: ${pushed.digest}`);
  },
});
