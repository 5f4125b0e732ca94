import { createLogger } from "@boxship/base";
import { openRegistry } from "@boxship/registry";
import { defineCommand } from "../command.ts";
import { print } from "../context.ts";
import { bool, text } from "../flags/flag.ts";
import { printProblems, registryLine } from "../shared/check-report.ts";
import { readRegistryFile } from "../shared/registry-file.ts";

export const command = defineCommand({
  usage: "[OPTIONS]",
  summary: "Read everything in a registry that is not being served, and tell what is wrong",
  flags: {
    config: text("YAML file that it is served with", { hint: "path" }),
    repair: bool("Mend what can be mended"),
    root: text("Directory of what it keeps", { initial: "/var/lib/boxship-registry", hint: "path" }),
  },
  async run(context, { flags }) {
    await using registry = await openRegistry({
      root: flags.root,
      policy: readRegistryFile(flags.config),
      logger: createLogger(),
    });
    const report = await registry.check({ repair: flags.repair });
    print(context, registryLine(report));
    if (report.orphans > 0) print(context, `${report.orphans} blobs are needed by nothing; "registry gc" removes them`);
    const problems = report.problems.map(({ repository, name, ...rest }) => ({
      about: `${repository}@${name}`,
      ...rest,
    }));
    printProblems(context, problems, flags.repair);
  },
});
