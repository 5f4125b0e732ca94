import { errorMessage } from "@boxship/base/errors";
import { parseJson, Template, templateFunctions, typed } from "@boxship/template";
import { defineCommand } from "../command.ts";
import { print, warn } from "../context.ts";
import { Failure } from "../failure.ts";
import { describeInfo, type EngineInfo } from "../format/engine-info.ts";
import { inspectType } from "../format/inspect-schema.ts";
import { inspectFormatFlag } from "../shared/list-defaults.ts";
import { VERSION } from "../version.ts";

export const command = defineCommand({
  usage: "[OPTIONS]",
  summary: "Display system-wide information",
  flags: { format: inspectFormatFlag },
  async run(context, { flags }) {
    const json = await context.api.text("GET", "/info");
    if (flags.format !== "") {
      context.stdout.write(`${format(flags.format, json)}\n`);
      return;
    }
    const info = JSON.parse(json) as EngineInfo;
    print(context, `Client:\n Version:    ${VERSION}\n\nServer:\n${describeInfo(info)}`);
    for (const warning of info.Warnings ?? []) warn(context, warning);
  },
});

function format(source: string, json: string): string {
  const text = source === "json" ? "{{json .}}" : source;
  let template: Template;
  try {
    template = new Template("", { functions: templateFunctions }).parse(text);
  } catch (error) {
    throw new Failure(`template parsing error: ${errorMessage(error)}`, { status: 64, cause: error });
  }
  try {
    return template.execute(typed(inspectType("system.Info"), parseJson(json)));
  } catch (error) {
    throw new Failure(errorMessage(error), { cause: error });
  }
}
