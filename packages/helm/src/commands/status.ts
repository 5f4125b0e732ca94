import { defineCommand } from "../command.ts";
import { bool, format, int } from "../flags.ts";
import { printAs, statusText } from "../print-release.ts";
import { resourcesText } from "../release/resources-text.ts";
import { openStorage } from "../release-access.ts";

export const command = defineCommand({
  usage: "RELEASE [flags]",
  summary: "Show what state a release is in",
  operands: { min: 1, max: 1 },
  // Helm 4 shows always what Helm 3 has flags for.
  flags: {
    output: format,
    revision: int(),
    "show-desc": bool(),
    "show-resources": bool(),
  },
  async run(surroundings, { flags, operands }) {
    const release = await (await openStorage(surroundings)).get(operands[0] ?? "", flags.revision);
    const { chart: _chart, ...shown } = release;
    if (printAs(flags.output, shown, surroundings)) return;
    const session = await surroundings.cluster();
    surroundings.print(statusText(release, true, { resources: await resourcesText(session, release) }));
  },
});
