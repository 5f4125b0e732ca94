import { Unsupported } from "@boxship/base/errors";
import type { FlagValues } from "@boxship/base/parse-flags";
import type { Surroundings } from "./command.ts";
import { bool, duration, int, labels, str } from "./flags.ts";
import type { Action, ActionOptions } from "./release/actions.ts";

/** Of commands that change releases. */
export const actionFlags = {
  atomic: bool(),
  "cleanup-on-fail": bool(),
  description: str(),
  "dry-run": str("none", { bare: "client" }),
  force: bool(),
  "force-conflicts": bool(),
  "history-max": int(10),
  labels: labels({ short: "l" }),
  "no-hooks": bool(),
  "rollback-on-failure": bool(),
  "server-side": str("false", { bare: "true" }),
  "take-ownership": bool(),
  timeout: duration("5m0s"),
  wait: str("false", { bare: "true" }),
  "wait-for-jobs": bool(),
};

export type ActionFlags = FlagValues<typeof actionFlags>;

const isOn = (text: string): boolean => !["", "false", "hookOnly", "none"].includes(text);

export function actionOptions(flags: ActionFlags, surroundings: Surroundings): ActionOptions {
  if (flags.force) throw new Unsupported("--force is not supported", { remedy: "delete what has to be made anew" });
  if (flags["cleanup-on-fail"])
    throw new Unsupported("--cleanup-on-fail is not supported", { remedy: "use --rollback-on-failure" });
  const back = flags.atomic || flags["rollback-on-failure"];
  return {
    timeout: flags.timeout,
    wait: isOn(flags.wait) || back,
    waitForJobs: flags["wait-for-jobs"],
    noHooks: flags["no-hooks"],
    description: flags.description,
    labels: flags.labels,
    historyMax: flags["history-max"],
    takeOwnership: flags["take-ownership"],
    serverSide: isOn(flags["server-side"]) && flags["server-side"] !== "auto",
    forceConflicts: flags["force-conflicts"],
    say: (text) => surroundings.warn(text),
  };
}

/** Whether a failure is undone. */
export const undoes = (flags: ActionFlags): boolean => flags.atomic || flags["rollback-on-failure"];

/** A release's name, its place, and the connection to it. */
export async function openAction(name: string, options: ActionOptions, surroundings: Surroundings): Promise<Action> {
  const { ReleaseStorage } = await import("./release/storage.ts");
  const session = await surroundings.cluster();
  const namespace = await surroundings.namespace();
  return { session, storage: await ReleaseStorage.open(session, namespace), owner: { name, namespace }, options };
}
