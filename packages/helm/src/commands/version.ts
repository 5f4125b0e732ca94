import { bool, str } from "@boxship/kubectl/flags";
import { defineCommand } from "../command.ts";
import { HELM_VERSION } from "../engine/capabilities.ts";

export const command = defineCommand({
  usage: "[flags]",
  summary: "Print the version of Helm whose words these are",
  operands: { min: 0, max: 0 },
  flags: { short: bool(), template: str() },
  async run(surroundings, { flags }) {
    if (flags.template !== "") {
      const { Template } = await import("@boxship/template");
      surroundings.io.stdout.write(new Template("_").parse(flags.template).execute({ Version: HELM_VERSION }));
    } else
      surroundings.print(flags.short ? HELM_VERSION : `version.BuildInfo{Version:${JSON.stringify(HELM_VERSION)}}`);
  },
});
