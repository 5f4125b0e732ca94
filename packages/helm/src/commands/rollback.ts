import { InvalidArgument } from "@boxship/base/errors";
import { defineCommand } from "../command.ts";
import { bool, refuseFlags } from "../flags.ts";
import { rollback } from "../release/actions.ts";
import { lockRelease } from "../release/operation-lock.ts";
import { actionOptions, applyFlags, dryRunFlag, dryRunOf, historyFlags, openAction } from "../release-flags.ts";

export const command = defineCommand({
  usage: "RELEASE [REVISION] [flags]",
  summary: "Bring a release back to an earlier revision",
  operands: { min: 1, max: 2 },
  flags: { ...applyFlags, ...dryRunFlag, ...historyFlags, "recreate-pods": bool() },
  async run(surroundings, { flags, operands, changed }) {
    refuseFlags(changed, "recreate-pods");
    const [name = "", revision = "0"] = operands;
    if (!/^\d+$/.test(revision))
      throw new InvalidArgument(`could not convert revision to a number: ${JSON.stringify(revision)}`);
    const action = await openAction(name, actionOptions(flags, surroundings), surroundings);
    if (dryRunOf(flags["dry-run"]) !== "none") {
      await action.storage.get(name, Number(revision));
      surroundings.print(`Rollback would be done, to revision ${revision === "0" ? "before the last" : revision}`);
      return;
    }
    await using _lock = await lockRelease(action.session, action.owner.namespace, name);
    await rollback(action, Number(revision));
    surroundings.print("Rollback was a success! Happy Helming!");
  },
});
