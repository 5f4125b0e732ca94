import { InvalidArgument } from "@boxship/base/errors";
import { defineCommand } from "../command.ts";
import { bool, str } from "../flags.ts";
import { uninstall } from "../release/actions.ts";
import { lockRelease } from "../release/operation-lock.ts";
import { actionOptions, openAction, waitFlags } from "../release-flags.ts";

const CASCADES: Readonly<Record<string, string>> = {
  background: "Background",
  foreground: "Foreground",
  orphan: "Orphan",
};

export const command = defineCommand({
  usage: "RELEASE... [flags]",
  summary: "Delete releases and what they have made",
  operands: { min: 1, max: 1000 },
  flags: {
    ...waitFlags,
    cascade: str("background"),
    description: str(),
    "dry-run": bool(),
    "ignore-not-found": bool(),
    "keep-history": bool(),
  },
  async run(surroundings, { flags, operands }) {
    const cascade = CASCADES[flags.cascade];
    if (cascade === undefined)
      throw new InvalidArgument(`invalid cascade value (${flags.cascade}): use background, foreground or orphan`);
    for (const name of operands) {
      const action = await openAction(name, actionOptions(flags, surroundings), surroundings);
      // Taken before anything is looked at: what a command left that was killed at its end goes with it.
      await using _lock = flags["dry-run"]
        ? undefined
        : await lockRelease(action.session, action.owner.namespace, name);
      const there = await action.storage.last(name);
      if (there === undefined && flags["ignore-not-found"]) {
        surroundings.print(`release ${JSON.stringify(name)} not found`);
        continue;
      }
      if (flags["dry-run"]) {
        await action.storage.get(name);
        surroundings.print(`release ${JSON.stringify(name)} would be uninstalled`);
        continue;
      }
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
