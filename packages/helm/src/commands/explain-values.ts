import { valueFlags } from "../cluster-flags.ts";
import { defineCommand } from "../command.ts";
import { valuesOf } from "../flag-values.ts";
import { format } from "../flags.ts";
import { printAs, tableText } from "../print-release.ts";
import { chartFlags, openChart } from "../render-flags.ts";
import { coalesceValues } from "../values/coalesce.ts";
import { processDependencies } from "../values/dependencies.ts";
import { explainValues, type ValueSource } from "../values/explain-values.ts";

const NONE = { set: [], "set-file": [], "set-json": [], "set-literal": [], "set-string": [], values: [] };

export const command = defineCommand({
  usage: "CHART [PATH] [flags]",
  summary: "Show where each value is set, and where templates use it",
  operands: { min: 1, max: 2 },
  flags: { ...valueFlags, ...chartFlags, output: format },
  async run(surroundings, { flags, operands }) {
    const [reference = "", below] = operands;
    const given = await openChart(reference, flags, surroundings);
    const values = await valuesOf(flags, surroundings.io);
    const sources: ValueSource[] = [];
    for (const file of flags.values)
      sources.push({ name: file, values: await valuesOf({ ...NONE, values: [file] }, surroundings.io) });
    for (const name of ["set-json", "set", "set-string", "set-file", "set-literal"] as const) {
      if (flags[name].length > 0)
        sources.push({ name: `--${name}`, values: await valuesOf({ ...NONE, [name]: flags[name] }, surroundings.io) });
    }
    const chart = processDependencies(given, values, (text) =>
      surroundings.warn(`level=WARN msg=${JSON.stringify(text)}`),
    );
    const all = explainValues(
      chart,
      coalesceValues(chart, values, () => undefined),
      sources,
    );
    const shown = all.filter(({ path }) => below === undefined || path === below || path.startsWith(`${below}.`));
    if (printAs(flags.output, shown, surroundings)) return;
    const rows = shown.map(({ path, value, setBy, usedBy }) => [
      path,
      value.replaceAll("\n", "\\n").slice(0, 40),
      setBy.at(-1) ?? "-",
      usedBy.join(" ") || "-",
    ]);
    surroundings.print(tableText(["PATH", "VALUE", "SET BY", "USED BY"], rows));
  },
});
