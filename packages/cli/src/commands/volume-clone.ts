import { defineCommand } from "../command.ts";
import { checkLabel } from "../container-options/checks.ts";
import { pairsToObject } from "../container-options/environment.ts";
import { print } from "../context.ts";
import { list, text } from "../flags/flag.ts";

export const command = defineCommand({
  usage: "[OPTIONS] VOLUME NEW_VOLUME",
  summary: "Make another volume with the same content",
  flags: {
    label: list("Set metadata for the new volume", { check: checkLabel }),
    snapshot: text("Take the content of a snapshot"),
  },
  operands: { min: 2, max: 2 },
  completes: "volume",
  async run(context, { flags, operands: [name = "", target = ""] }) {
    const created = await context.api.json<{ readonly Name: string }>(
      "POST",
      `/boxship/volumes/${encodeURIComponent(name)}/clone`,
      {
        body: {
          Name: target,
          Labels: pairsToObject(flags.label),
          ...(flags.snapshot === "" ? {} : { Snapshot: flags.snapshot }),
        },
      },
    );
    print(context, created.Name);
  },
});
