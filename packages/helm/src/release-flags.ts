import { InvalidArgument } from "@boxship/base/errors";
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
  "force-replace": bool(),
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
  const forceReplace = flags.force || flags["force-replace"];
  const serverSide = isOn(flags["server-side"]) && flags["server-side"] !== "auto";
  if (forceReplace && serverSide) {
    throw new InvalidArgument("invalid operation: cannot use server-side apply and force replace together");
  }
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
    serverSide,
    forceReplace,
    cleanupOnFail: flags["cleanup-on-fail"],
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
