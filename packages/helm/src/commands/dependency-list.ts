import { loadChart } from "../chart/load-chart.ts";
import { defineCommand } from "../command.ts";
import { int } from "../flags.ts";
import { tableText } from "../print-release.ts";
import { parseConstraint } from "../version/constraint.ts";
import { parseVersion } from "../version/version.ts";

export const command = defineCommand({
  usage: "CHART [flags]",
  summary: "List the dependencies of a chart",
  operands: { min: 0, max: 1 },
  flags: { "max-col-width": int(80) },
  async run(surroundings, { flags, operands }) {
    const { metadata, dependencies } = await loadChart(operands[0] ?? ".");
    const rows = metadata.dependencies.map(({ name, version, repository }) => {
      const found = dependencies.find((one) => one.metadata.name === name);
      const parsed = found === undefined ? undefined : parseVersion(found.metadata.version);
      const fits = parsed !== undefined && parseConstraint(version).allows(parsed);
      return { name, version, repository, status: found === undefined ? "missing" : fits ? "ok" : "wrong version" };
    });
    const most = flags["max-col-width"];
    const cut = (text: string): string => (most > 0 && text.length > most ? `${text.slice(0, most)}...` : text);
    if (rows.length === 0) surroundings.warn(`WARNING: no dependencies at ${operands[0] ?? "."}`);
    else
      surroundings.print(
        tableText(
          ["NAME", "VERSION", "REPOSITORY", "STATUS"],
          rows.map((row) => Object.values(row).map(cut)),
        ),
      );
  },
});
