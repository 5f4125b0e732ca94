import { Unsupported } from "@boxship/base/errors";
import { defineCommand } from "../command.ts";
import { array, bool, duration } from "../flags.ts";
import { statusText } from "../print-release.ts";
import { runHooks } from "../release/run-hooks.ts";
import { openStorage } from "../release-access.ts";

export const command = defineCommand({
  usage: "RELEASE [flags]",
  summary: "Run the tests of a release",
  operands: { min: 1, max: 1 },
  flags: { filter: array(), "hide-notes": bool(), logs: bool(), timeout: duration("5m0s") },
  async run(surroundings, { flags, operands }) {
    if (flags.logs) throw new Unsupported("--logs is not supported", { remedy: "use kubectl logs" });
    const storage = await openStorage(surroundings);
    const release = await storage.get(operands[0] ?? "");
    const words = flags.filter.flatMap((one) => one.split(","));
    const [only, not] = [words.filter((one) => !one.startsWith("!")), words.filter((one) => one.startsWith("!"))].map(
      (all) => new Set(all.map((one) => one.replace(/^!?(name=)?/, ""))),
    );
    const chosen = ({ name }: { readonly name: string }): boolean =>
      (only?.size === 0 || only?.has(name) === true) && not?.has(name) !== true;
    const owner = { name: release.name, namespace: release.namespace };
    try {
      await runHooks(await surroundings.cluster(), release.hooks, "test", owner, { timeout: flags.timeout, chosen });
    } finally {
      await storage.update(release);
      surroundings.print(statusText(release, !flags["hide-notes"]));
    }
  },
});
