import { valueAt } from "@boxship/api";
import { type Command, defineCommand } from "../command.ts";
import { Refusal } from "../failure.ts";
import { dryRunFlag, selectorFlag } from "../global-flags.ts";
import { type DryRun, parseDryRun, resultPrinter } from "../print/result.ts";
import { patchObject } from "../request/objects.ts";
import type { Session } from "../session.ts";
import { type Found, forEachObject } from "./objects-of.ts";

/** Says that no pods go to a node any more, or that they do again. */
export async function setSchedulable(
  session: Session,
  found: Found,
  schedulable: boolean,
  dryRun: DryRun,
): Promise<void> {
  const was = valueAt(found.object, "spec", "unschedulable") !== true;
  const done = schedulable ? "uncordoned" : "cordoned";
  const flags = { output: "", template: "", "allow-missing-template-keys": true, "show-managed-fields": false };
  const print = await resultPrinter(flags, done, dryRun);
  if (was === schedulable) return void session.io.stdout.write(print(found.object, `already ${done}`));
  const patch = { spec: { unschedulable: schedulable ? null : true } };
  if (dryRun !== "client") await patchObject(session, found, "strategic", patch, { dryRun: dryRun === "server" });
  session.io.stdout.write(print(found.object));
}

function command(schedulable: boolean, summary: string): Command {
  return defineCommand({
    usage: "NODE",
    summary,
    flags: { ...dryRunFlag, ...selectorFlag },
    async run(session, { flags, operands, path }) {
      const dryRun = parseDryRun(flags["dry-run"]);
      if (operands.length === 0 && flags.selector === "")
        throw new Refusal(`USAGE: ${path.split(" ").at(-1)} NODE [flags]\nSee '${path} -h' for help and examples`);
      await forEachObject(session, nodeWords(operands), flags, (found) =>
        setSchedulable(session, found, schedulable, dryRun),
      );
    },
  });
}

/** Names alone are of nodes. */
export const nodeWords = (words: readonly string[]): readonly string[] =>
  words.some((word) => word.includes("/")) ? words : ["nodes", ...words];

export const cordon = command(false, "Mark node as unschedulable");
export const uncordon = command(true, "Mark node as schedulable");
