import { createLogger } from "@boxship/base";
import { openRegistry } from "@boxship/registry";
import { defineCommand } from "../command.ts";
import { print } from "../context.ts";
import { bool, text } from "../flags/flag.ts";
import { readRegistryFile } from "../shared/registry-file.ts";

export const command = defineCommand({
  usage: "[OPTIONS]",
  summary: "Remove what nothing needs from a registry that is not being served",
  flags: {
    config: text("YAML file that it is served with", { hint: "path" }),
    "dry-run": bool("Only tell what would go"),
    root: text("Directory of what it keeps", { initial: "/var/lib/boxship-registry", hint: "path" }),
    untagged: bool("Also manifests that no tag, no index and no subject leads to"),
  },
  async run(context, { flags }) {
    await using registry = await openRegistry({
      root: flags.root,
      policy: readRegistryFile(flags.config),
      logger: createLogger(),
    });
    const options = { dryRun: flags["dry-run"], untagged: flags.untagged };
    const { manifests, links, blobs, freed } = await registry.collectGarbage(options);
    const word = flags["dry-run"] ? "Would remove" : "Removed";
    print(context, `${word} ${manifests} manifests and ${links} blobs of repositories`);
    if (!flags["dry-run"]) print(context, `Freed ${freed} bytes of ${blobs} blobs`);
  },
});
