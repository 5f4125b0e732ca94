import { defineCommand } from "../command.ts";
import { checkLabel } from "../container-options/checks.ts";
import { pairsToObject } from "../container-options/environment.ts";
import { print } from "../context.ts";
import { list } from "../flags/flag.ts";
import { archiveInput } from "../shared/archive-input.ts";

export const command = defineCommand({
  usage: "[OPTIONS] VOLUME file|-",
  summary: "Make a volume with the content of a tar archive",
  flags: { label: list("Set metadata for the volume", { check: checkLabel }) },
  operands: { min: 2, max: 2 },
  completes: "file",
  async run(context, { flags, operands: [name = "", source = ""] }) {
    const stream = await archiveInput(context, source);
    const labels = JSON.stringify(pairsToObject(flags.label));
    await context.api.call("POST", "/boxship/volumes/import", { query: { name, labels }, stream });
    print(context, name);
  },
});
