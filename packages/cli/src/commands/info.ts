import { defineCommand } from "../command.ts";
import { print, warn } from "../context.ts";
import { describeInfo, type EngineInfo } from "../format/engine-info.ts";
import { formatJson } from "../format/json-writer.ts";
import { inspectFormatFlag } from "../shared/list-defaults.ts";
import { VERSION } from "../version.ts";

export const command = defineCommand({
  usage: "[OPTIONS]",
  summary: "Display system-wide information",
  flags: { format: inspectFormatFlag },
  async run(context, { flags }) {
    const json = await context.api.text("GET", "/info");
    if (flags.format !== "") {
      context.stdout.write(`${formatJson(flags.format, json, "system.Info")}\n`);
      return;
    }
    const info = JSON.parse(json) as EngineInfo;
    print(context, `Client:\n Version:    ${VERSION}\n\nServer:\n${describeInfo(info)}`);
    for (const warning of info.Warnings ?? []) warn(context, warning);
  },
});
