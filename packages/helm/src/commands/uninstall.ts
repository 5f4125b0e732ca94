import { InvalidArgument } from "@boxship/base/errors";
import { defineCommand } from "../command.ts";
import { bool, refuseFlags, str } from "../flags.ts";
import { uninstall } from "../release/actions.ts";
import { lockRelease } from "../release/operation-lock.ts";
import { actionFlags, actionOptions, openAction } from "../release-flags.ts";

const CASCADES: Readonly<Record<string, string>> = {
  background: "Background",
  foreground: "Foreground",
  orphan: "Orphan",
};

const OTHERS = [
  "atomic",
  "cleanup-on-fail",
  "force",
  "force-conflicts",
  "force-replace",
  "history-max",
  "labels",
  "rollback-on-failure",
  "server-side",
  "take-ownership",
  "wait-for-jobs",
];

export const command = defineCommand({
  usage: "RELEASE... [flags]",
  summary: "Delete releases and what they have made",
  operands: { min: 1, max: 1000 },
  flags: { ...actionFlags, cascade: str("background"), "ignore-not-found": bool(), "keep-history": bool() },
  async run(surroundings, { flags, operands, changed }) {
    refuseFlags(changed, ...OTHERS);
    const cascade = CASCADES[flags.cascade];
    if (cascade === undefined)
      throw new InvalidArgument(`invalid cascade value (${flags.cascade}): use background, foreground or orphan`);
    for (const name of operands) {
      const action = await openAction(name, actionOptions(flags, surroundings), surroundings);
      const there = await action.storage.last(name);
      if (there === undefined && flags["ignore-not-found"]) {
        surroundings.print(`release ${JSON.stringify(name)} not found`);
        continue;
      }
      if (flags["dry-run"] !== "none") {
        surroundings.print(`release ${JSON.stringify(name)} would be uninstalled`);
        continue;
      }
      await using _lock = await lockRelease(action.session, action.owner.namespace, name);
      const kept = await uninstall(action, { keepHistory: flags["keep-history"], cascade });
      if (kept.length > 0) {
        surroundings.print(
          `These resources were kept due to the resource policy:\n${kept.map((one) => `[${one.kind}] ${one.name}`).join("\n")}\n`,
        );
      }
      surroundings.print(`release ${JSON.stringify(name)} uninstalled`);
    }
  },
});
