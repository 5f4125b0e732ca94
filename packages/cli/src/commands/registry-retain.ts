import { createLogger } from "@boxship/base";
import { openRegistry } from "@boxship/registry";
import { defineCommand } from "../command.ts";
import { print } from "../context.ts";
import { Failure } from "../failure.ts";
import { bool, text } from "../flags/flag.ts";
import { readRegistryFile } from "../shared/registry-file.ts";

export const command = defineCommand({
  usage: "--config PATH [OPTIONS]",
  summary: "Remove tags that no rule of retention holds from a registry that is not being served",
  flags: {
    config: text("YAML file with the rules", { hint: "path" }),
    "dry-run": bool("Only tell what would go"),
    root: text("Directory of what it keeps", { initial: "/var/lib/boxship-registry", hint: "path" }),
  },
  async run(context, { flags }) {
    const policy = readRegistryFile(flags.config);
    if (policy.retention === undefined) throw new Failure("there are no rules: name a file with retention by --config");
    await using registry = await openRegistry({ root: flags.root, policy, logger: createLogger() });
    const retired = await registry.retain({ dryRun: flags["dry-run"] });
    for (const { repository, tag, digest } of retired) print(context, `${repository}:${tag} ${digest}`);
    print(context, `${flags["dry-run"] ? "Would remove" : "Removed"} ${retired.length} tags`);
  },
});
