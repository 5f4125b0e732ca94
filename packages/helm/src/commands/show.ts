import { parseJson } from "@boxship/api";
import { toYaml } from "@boxship/api/yaml";
import { toJson } from "@boxship/template";
import { type Chart, crdFiles } from "../chart/chart.ts";
import { type Command, defineCommand } from "../command.ts";
import { str } from "../flags.ts";
import { chartFlags, openChart } from "../render-flags.ts";

const file = (chart: Chart, pattern: RegExp): string =>
  chart.raw
    .find(({ name }) => pattern.test(name))
    ?.data.toString("utf8")
    .trimEnd() ?? "";

const crds = (chart: Chart): string =>
  crdFiles(chart)
    .map(
      ({ data }) =>
        `---\n${data
          .toString("utf8")
          .replace(/^---\s*\n/, "")
          .trimEnd()}\n`,
    )
    .join("");

function partOf(chart: Chart, part: string): string {
  switch (part) {
    case "chart":
      return toYaml(parseJson(toJson(chart.metadata.raw))).trimEnd();
    case "values":
      return file(chart, /^values\.yaml$/);
    case "readme":
      return file(chart, /^readme(\.md|\.txt)?$/i);
    case "crds":
      return crds(chart).trimEnd();
    default: {
      const parts = ["chart", "values", "readme"].map((one) => partOf(chart, one)).filter((text) => text !== "");
      return [parts.join("\n\n---\n"), crds(chart).trimEnd()].filter((text) => text !== "").join("\n");
    }
  }
}

/** @param part `all`, `chart`, `crds`, `readme` or `values` */
export function showCommand(part: string): Command {
  return defineCommand({
    usage: "CHART [flags]",
    summary: `Show ${part === "all" ? "all information" : `the ${part}`} of a chart`,
    operands: { min: 1, max: 1 },
    flags: part === "values" ? { ...chartFlags, jsonpath: str() } : chartFlags,
    async run(surroundings, { flags, operands }) {
      const chart = await openChart(operands[0] ?? "", flags, surroundings);
      if ("jsonpath" in flags && flags.jsonpath !== "") {
        const { JsonPathTemplate } = await import("@boxship/kubectl/cluster");
        surroundings.io.stdout.write(new JsonPathTemplate(flags.jsonpath).print(parseJson(toJson(chart.values))));
        return;
      }
      const text = partOf(chart, part);
      if (text !== "") surroundings.print(text);
    },
  });
}
