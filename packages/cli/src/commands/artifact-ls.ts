import { parseReference, withDefaultTag } from "@boxship/oci";
import { defineCommand } from "../command.ts";
import { print } from "../context.ts";
import { Failure } from "../failure.ts";
import { text } from "../flags/flag.ts";
import { alignTabs } from "../format/tab-writer.ts";
import { accessFlags, registryAccess } from "../shared/registry-access.ts";

export const command = defineCommand({
  usage: "[OPTIONS] NAME[:TAG|@DIGEST]",
  summary: "List what is attached to an image or artifact in a registry",
  flags: {
    ...accessFlags,
    "artifact-type": text("Only what is of this type", { hint: "type" }),
    format: text("Output as table or json", { initial: "table", choices: ["table", "json"] }),
  },
  operands: { min: 1, max: 1 },
  async run(context, { flags, operands: [name = ""] }) {
    if (!["table", "json"].includes(flags.format)) throw new Failure(`unknown format ${JSON.stringify(flags.format)}`);
    const reference = withDefaultTag(parseReference(name));
    await using client = registryAccess(context, flags, reference.domain);
    const { digest } = await client.resolve(reference);
    const { manifests } = await client.referrers(reference, digest, {
      artifactType: flags["artifact-type"] || undefined,
    });
    if (flags.format === "json") {
      print(context, JSON.stringify({ digest, referrers: manifests }, undefined, 2));
      return;
    }
    const rows = manifests.map((entry) => [entry.artifactType ?? "", entry.digest, String(entry.size)]);
    print(context, alignTabs([["ARTIFACT TYPE", "DIGEST", "SIZE"], ...rows].map((row) => row.join("\t")).join("\n")));
  },
});
