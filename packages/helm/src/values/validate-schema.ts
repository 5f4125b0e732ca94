import { InvalidArgument } from "@boxship/base/errors";
import { toJson } from "@boxship/template";
import type { Chart } from "../chart/chart.ts";
import { type Dict, getKey, isDict } from "../functions/go-values.ts";

/** Checks values against the schemas of a chart and of those in it. @throws InvalidArgument that names every problem */
export async function validateSchemas(chart: Chart, values: Dict): Promise<void> {
  const problems = await problemsOf(chart, values);
  if (problems.length === 0) return;
  throw new InvalidArgument(
    `values don't meet the specifications of the schema(s) in the following chart(s):\n${problems.join("\n")}`,
  );
}

async function problemsOf(chart: Chart, values: Dict): Promise<readonly string[]> {
  const problems: string[] = [];
  if (chart.schema !== undefined) {
    const found = await (await import("./json-schema.ts")).validate(
      chart.schema,
      JSON.parse(toJson(values)),
      chart.metadata.name,
    );
    if (found.length > 0) problems.push(`${chart.metadata.name}:`, ...found.map((one) => `- ${one}`));
  }
  for (const child of chart.dependencies) {
    const below = getKey(values, child.metadata.name);
    if (isDict(below)) problems.push(...(await problemsOf(child, below)));
  }
  return problems;
}
