import { defineCommand } from "../command.ts";
import { print } from "../context.ts";
import { bool } from "../flags/flag.ts";
import { humanSize } from "../format/units.ts";
import { printProblems, type RegistryReport, registryLine } from "../shared/check-report.ts";

interface Report {
  readonly store: {
    readonly blobs: number;
    readonly bytes: number;
    readonly images: number;
    readonly orphans: number;
    readonly orphanBytes: number;
    readonly problems: readonly { readonly about: string; readonly problem: string; readonly repair?: string }[];
  };
  readonly registry?: RegistryReport;
}

export const command = defineCommand({
  usage: "[OPTIONS]",
  summary: "Read everything in the engine's store and its registry, and tell what is wrong",
  flags: { repair: bool("Mend what can be mended") },
  async run(context, { flags }) {
    const path = `/boxship/system/check${flags.repair ? "?repair=1" : ""}`;
    const { store, registry } = await context.api.json<Report>("POST", path);
    const { blobs, bytes, images, orphans, orphanBytes } = store;
    print(context, `Store: ${blobs} blobs, ${humanSize(bytes)}, ${images} images`);
    if (orphans > 0) print(context, `${orphans} blobs, ${humanSize(orphanBytes)}, are needed by nothing`);
    if (registry !== undefined) print(context, registryLine(registry));
    const problems = registry?.problems.map(({ repository, name, ...rest }) => ({
      about: `${repository}@${name}`,
      ...rest,
    }));
    printProblems(context, [...(problems ?? []), ...store.problems], flags.repair);
  },
});
