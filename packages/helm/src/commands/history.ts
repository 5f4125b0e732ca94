import { NotFound } from "@boxship/base/errors";
import { defineCommand } from "../command.ts";
import { format, int } from "../flags.ts";
import { longTime, printAs, tableText } from "../print-release.ts";
import { appVersion, chartName } from "../release/release.ts";
import { openStorage } from "../release-access.ts";

export const command = defineCommand({
  usage: "RELEASE [flags]",
  summary: "List the revisions of a release",
  operands: { min: 1, max: 1 },
  flags: { max: int(256), output: format },
  async run(surroundings, { flags, operands }) {
    const all = await (await openStorage(surroundings)).list(operands[0]);
    if (all.length === 0) throw new NotFound(`release: not found: ${operands[0] ?? ""}`);
    const rows = all.slice(-flags.max).map((release) => ({
      revision: release.version,
      updated: release.info.last_deployed,
      status: release.info.status,
      chart: chartName(release),
      app_version: appVersion(release),
      description: release.info.description,
    }));
    if (printAs(flags.output, rows, surroundings)) return;
    const header = ["REVISION", "UPDATED", "STATUS", "CHART", "APP VERSION", "DESCRIPTION"];
    const texts = rows.map((row) => Object.values({ ...row, updated: longTime(row.updated) }).map(String));
    surroundings.print(tableText(header, texts));
  },
});
