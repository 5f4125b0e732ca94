import { defineCommand } from "../../command.ts";
import { describeTemplate } from "../../describe/pod-template.ts";
import { Refusal } from "../../failure.ts";
import { int } from "../../flags.ts";
import { fileFlags, outputFlags, selectorFlag } from "../../global-flags.ts";
import { formatPrinter, kindName, unknownFormat } from "../../print/printer.ts";
import { alignRows } from "../../print/table.ts";
import { forEachObject } from "../objects-of.ts";
import { revisionsOf } from "./revisions.ts";

export const command = defineCommand({
  usage: "(TYPE NAME | TYPE/NAME) [flags]",
  summary: "View rollout history",
  flags: { ...fileFlags, ...outputFlags, ...selectorFlag, revision: int() },
  async run(session, { flags, operands }) {
    if (operands.length === 0 && flags.filename.length === 0) throw new Refusal("required resource not specified");
    if (flags.revision < 0) throw new Refusal(`revision must be a positive integer: ${flags.revision}`);
    const print = await formatPrinter(flags);
    if (print === undefined && flags.output !== "") throw unknownFormat(flags.output);
    await forEachObject(session, operands, flags, async (found) => {
      const revisions = await revisionsOf(session, found, found.object);
      if (print !== undefined) {
        const chosen = revisions.filter(({ number }) => flags.revision === 0 || number === flags.revision);
        const last = chosen.at(-1);
        if (last === undefined) throw new Refusal("unable to find the specified revision");
        session.io.stdout.write(print(last.object));
        return;
      }
      const name = `${kindName(found.object)}/${found.name}`;
      if (flags.revision === 0) {
        const rows = revisions.map(({ number, cause }) => [String(number), cause || "<none>"]);
        const body =
          rows.length === 0
            ? "No rollout history found.\n"
            : alignRows([["REVISION", "CHANGE-CAUSE"], ...rows], { minWidth: 0, padding: 2 });
        session.io.stdout.write(`${name} \n${body}${rows.length === 0 ? "" : "\n"}`);
        return;
      }
      const revision = revisions.find(({ number }) => number === flags.revision);
      if (revision === undefined) throw new Refusal("unable to find the specified revision");
      session.io.stdout.write(`${name} with revision #${flags.revision}\n${describeTemplate(revision.template)}\n`);
    });
  },
});
