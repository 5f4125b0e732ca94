import { InvalidArgument } from "@boxship/base/errors";
import { defineCommand } from "../command.ts";
import { array, bool, duration } from "../flags.ts";
import { statusText } from "../print-release.ts";
import { showTestLogs } from "../release/hook-logs.ts";
import { hooksInOrder, runHooks } from "../release/run-hooks.ts";
import { openStorage } from "../release-access.ts";

export const command = defineCommand({
  usage: "RELEASE [flags]",
  summary: "Run the tests of a release",
  operands: { min: 1, max: 1 },
  flags: { filter: array(), "hide-notes": bool(), logs: bool(), timeout: duration("5m0s") },
  async run(surroundings, { flags, operands }) {
    const storage = await openStorage(surroundings);
    const release = await storage.get(operands[0] ?? "");
    const chosen = filterOf(flags.filter);
    const owner = { name: release.name, namespace: release.namespace };
    const session = await surroundings.cluster();
    // What came of the tests is told before their pods go.
    const beforeDeletion = async (): Promise<void> => {
      await storage.update(release);
      surroundings.print(statusText(release, !flags["hide-notes"]));
      if (!flags.logs) return;
      surroundings.print("");
      // Those behind one that failed have not run.
      const ran = hooksInOrder(release.hooks, "test").filter((hook) => chosen(hook) && hook.last_run.started_at !== "");
      for (const hook of ran) await showTestLogs(session, hook, owner).catch((error: unknown) => (unshown ??= error));
    };
    let unshown: unknown;
    const { timeout } = flags;
    await runHooks(session, release.hooks, "test", owner, { timeout, validate: true, chosen, beforeDeletion });
    if (unshown !== undefined) throw unshown;
  },
});

/** `name=a` chooses tests, `!name=a` leaves them out; each also several times, or with commas between. */
function filterOf(filters: readonly string[]): (hook: { readonly name: string }) => boolean {
  const only = new Set<string>();
  const not = new Set<string>();
  for (const word of filters.flatMap((one) => one.split(","))) {
    const [, excluded, name] = /^(!\s?)?name=(.*)$/s.exec(word) ?? [];
    if (name === undefined) throw new InvalidArgument(`--filter ${word}: only name=TEST and !name=TEST are known`);
    (excluded === undefined ? only : not).add(name);
  }
  return ({ name }) => (only.size === 0 || only.has(name)) && !not.has(name);
}
