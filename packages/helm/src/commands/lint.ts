import { readdir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { FailedPrecondition } from "@boxship/base/errors";
import { lintChart } from "../chart/lint-chart.ts";
import { valueFlags } from "../cluster-flags.ts";
import { defineCommand } from "../command.ts";
import { valuesOf } from "../flag-values.ts";
import { bool, str } from "../flags.ts";

export const command = defineCommand({
  usage: "PATH... [flags]",
  summary: "Say what is wrong with charts",
  operands: { min: 0, max: 1000 },
  flags: {
    ...valueFlags,
    "kube-version": str(),
    quiet: bool(),
    "skip-schema-validation": bool(),
    strict: bool(),
    "with-subcharts": bool(),
  },
  async run(surroundings, { flags, operands }) {
    const values = await valuesOf(flags, surroundings.io);
    const given = operands.length === 0 ? ["."] : operands;
    const paths = flags["with-subcharts"] ? await withSubcharts(given) : given;
    let failures = 0;
    for (const path of paths) {
      const messages = await lintChart(path, {
        values,
        namespace: flags.namespace || "default",
        skipSchemas: flags["skip-schema-validation"],
        ...(flags["kube-version"] !== "" && { kubeVersion: `v${flags["kube-version"].replace(/^v/, "")}` }),
      });
      const bad = messages.filter(({ severity }) => severity === "ERROR" || (flags.strict && severity === "WARNING"));
      if (bad.length > 0) failures++;
      const shown = flags.quiet ? messages.filter(({ severity }) => severity !== "INFO") : messages;
      if (flags.quiet && shown.length === 0) continue;
      surroundings.print(`==> Linting ${path}`);
      for (const { severity, path: file, text } of shown) surroundings.print(`[${severity}] ${file}: ${text}`);
      surroundings.print("");
    }
    const summary = `${paths.length} chart(s) linted, ${failures} chart(s) failed`;
    if (failures > 0) throw new FailedPrecondition(summary);
    if (!flags.quiet) surroundings.print(summary);
  },
});

/** Charts, and those in their `charts/`. */
async function withSubcharts(paths: readonly string[]): Promise<readonly string[]> {
  const all = [...paths];
  for (const path of paths) {
    const below: string[] = await readdir(join(path, "charts"), { recursive: true }).catch(() => []);
    for (const name of below.sort()) {
      if (basename(name) === "Chart.yaml") all.push(join(path, "charts", dirname(name)));
      else if (name.endsWith(".tgz")) all.push(join(path, "charts", name));
    }
  }
  return all;
}
