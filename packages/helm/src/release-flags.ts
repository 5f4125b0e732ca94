import { InvalidArgument } from "@boxship/base/errors";
import type { FlagValues } from "@boxship/base/parse-flags";
import type { Surroundings } from "./command.ts";
import { bool, duration, int, labels, str } from "./flags.ts";
import type { Action, ActionOptions } from "./release/actions.ts";
import type { RenderFlags } from "./render-flags.ts";

/** Of all commands that change releases. */
export const waitFlags = {
  "no-hooks": bool(),
  timeout: duration("5m0s"),
  wait: str("hookOnly", { bare: "watcher" }),
};

/** Of commands that bring objects. */
export const applyFlags = {
  ...waitFlags,
  force: bool(),
  "force-conflicts": bool(),
  "force-replace": bool(),
  "server-side": str("auto", { bare: "true" }),
  "wait-for-jobs": bool(),
};

/** Of those of them that make a new revision from a chart. */
export const actionFlags = {
  ...applyFlags,
  atomic: bool(),
  description: str(),
  labels: labels({ short: "l" }),
  "rollback-on-failure": bool(),
  "take-ownership": bool(),
};

/** Of commands that change what is there already. */
export const historyFlags = {
  "cleanup-on-fail": bool(),
  /** Below zero: what `HELM_MAX_HISTORY` says. */
  "history-max": int(-1),
};

const DEFAULT_HISTORY = 10;

function historyMax(given: number | undefined, variable: string | undefined): number {
  if (given === undefined) return 0;
  if (given >= 0) return given;
  const wanted = Number(variable);
  return variable !== undefined && Number.isInteger(wanted) && wanted >= 0 ? wanted : DEFAULT_HISTORY;
}

/** Of `--dry-run`: `none`, `client` or `server`; Helm 3 takes truth values, too. */
export const dryRunFlag = { "dry-run": str("none", { bare: "client" }) };

export type ActionFlags = FlagValues<typeof actionFlags & typeof historyFlags>;

/**
 * Whether nothing is written, and whether the cluster is not even asked.
 *
 * @throws InvalidArgument for what is no way to run dry
 */
export function dryRunOf(text: string): "none" | "client" | "server" {
  if (text === "false") return "none";
  if (text === "true") return "client";
  if (text === "none" || text === "client" || text === "server") return text;
  throw new InvalidArgument(`invalid dry-run value (${JSON.stringify(text)}). Must be "none", "server", or "client"`);
}

function waits(text: string): boolean {
  if (["hookOnly", "false"].includes(text)) return false;
  if (["watcher", "legacy", "true"].includes(text)) return true;
  throw new InvalidArgument(
    `invalid wait input ${JSON.stringify(text)}. Valid inputs are true, false, watcher, hookOnly, and legacy`,
  );
}

/** Undefined: as it was done before. */
function serverSideOf(text: string): boolean | undefined {
  if (text === "auto") return undefined;
  if (text === "true" || text === "false") return text === "true";
  throw new InvalidArgument(`invalid/unknown release server-side apply method: ${text}`);
}

export function actionOptions(
  flags: Partial<ActionFlags & Pick<RenderFlags, "disable-openapi-validation">>,
  surroundings: Surroundings,
): ActionOptions {
  const forceReplace = flags.force === true || flags["force-replace"] === true;
  const serverSide = serverSideOf(flags["server-side"] ?? "auto");
  const forceConflicts = flags["force-conflicts"] ?? false;
  if (forceReplace && serverSide === true) {
    throw new InvalidArgument("invalid operation: cannot use server-side apply and force replace together");
  }
  if (forceReplace && forceConflicts) {
    throw new InvalidArgument("--force-replace and --force-conflicts do not go together");
  }
  return {
    timeout: flags.timeout ?? 0,
    wait: waits(flags.wait ?? "hookOnly") || undoes(flags),
    waitForJobs: flags["wait-for-jobs"] ?? false,
    noHooks: flags["no-hooks"] ?? false,
    description: flags.description ?? "",
    labels: checkedLabels(flags.labels ?? {}),
    historyMax: historyMax(flags["history-max"], surroundings.io.env["HELM_MAX_HISTORY"]),
    takeOwnership: flags["take-ownership"] ?? false,
    serverSide,
    forceReplace,
    cleanupOnFail: flags["cleanup-on-fail"] ?? false,
    forceConflicts,
    validate: flags["disable-openapi-validation"] !== true,
    say: (text) => surroundings.warn(text),
  };
}

const SYSTEM_LABELS = ["name", "owner", "status", "version", "createdAt", "modifiedAt"];

function checkedLabels(given: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  if (Object.keys(given).some((label) => SYSTEM_LABELS.includes(label))) {
    throw new InvalidArgument(
      `user supplied labels contains system reserved label name. System labels: [${SYSTEM_LABELS.join(" ")}]`,
    );
  }
  return given;
}

/** Whether a failure is undone. */
export const undoes = (flags: Partial<ActionFlags>): boolean =>
  flags.atomic === true || flags["rollback-on-failure"] === true;

/** A release's name, its place, and the connection to it. */
export async function openAction(name: string, options: ActionOptions, surroundings: Surroundings): Promise<Action> {
  const { ReleaseStorage } = await import("./release/storage.ts");
  const session = await surroundings.cluster();
  const namespace = await surroundings.namespace();
  return { session, storage: await ReleaseStorage.open(session, namespace), owner: { name, namespace }, options };
}
