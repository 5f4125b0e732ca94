import { defineCommand } from "../command.ts";
import { applyDefinitions, definitionsText, planDefinitions } from "../definitions/plan-definitions.ts";
import { duration } from "../flags.ts";
import { chartFlags, openChart } from "../render-flags.ts";

export const diff = defineCommand({
  usage: "CHART [flags]",
  summary: "Show what a chart would change in the cluster's custom resource definitions",
  operands: { min: 1, max: 1 },
  flags: chartFlags,
  async run(surroundings, { flags, operands }) {
    const chart = await openChart(operands[0] ?? "", flags, surroundings);
    const plans = await planDefinitions(await surroundings.cluster(), chart);
    if (plans.length > 0) surroundings.print(definitionsText(plans));
  },
});

export const upgrade = defineCommand({
  usage: "CHART [flags]",
  summary: "Bring the cluster's custom resource definitions to those of a chart, if nothing stored is lost",
  operands: { min: 1, max: 1 },
  flags: { ...chartFlags, timeout: duration("5m0s") },
  async run(surroundings, { flags, operands }) {
    const chart = await openChart(operands[0] ?? "", flags, surroundings);
    const session = await surroundings.cluster();
    const plans = await planDefinitions(session, chart);
    if (plans.length > 0) surroundings.warn(definitionsText(plans));
    const many = await applyDefinitions(session, plans, flags.timeout);
    surroundings.print(`${many} of ${plans.length} definitions were made or changed`);
  },
});
