import { defineCommand } from "../command.ts";
import { checkLabel } from "../container-options/checks.ts";
import { pairsToObject } from "../container-options/environment.ts";
import { print } from "../context.ts";
import { Failure } from "../failure.ts";
import { keyValues, list, text } from "../flags/flag.ts";

export const command = defineCommand({
  usage: "[OPTIONS] [VOLUME]",
  summary: "Create a volume",
  flags: {
    driver: text("Specify volume driver name", { short: "d", initial: "local" }),
    label: list("Set metadata for a volume", { check: checkLabel }),
    name: text("Specify volume name", { hidden: true }),
    opt: keyValues("Set driver specific options", { short: "o" }),
  },
  operands: { max: 1 },
  async run(context, { flags, operands: [name] }) {
    if (name !== undefined && flags.name !== "") {
      throw new Failure(
        "conflicting options: cannot specify a volume-name through both --name and as a positional arg",
      );
    }
    const created = await context.api.json<{ readonly Name: string }>("POST", "/volumes/create", {
      body: {
        Name: name ?? flags.name,
        Driver: flags.driver,
        DriverOpts: flags.opt,
        Labels: pairsToObject(flags.label),
      },
    });
    print(context, created.Name);
  },
});
