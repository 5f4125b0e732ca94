import { errorMessage, FailedPrecondition } from "@boxship/base/errors";
import { deleteObject, isNotFound, type Session, waitUntilGone } from "@boxship/kubectl/cluster";
import { sortByKind } from "../manifest/kind-order.ts";
import type { HookEvent, LogPolicy } from "../manifest/manifest.ts";
import { showHookLogs } from "./hook-logs.ts";
import { waitUntilReady } from "./readiness.ts";
import type { StoredHook } from "./release.ts";
import { applyResources, type Owner, type Resource, resourcesOf } from "./resources.ts";

export interface HookOptions {
  /** Milliseconds that each may take. */
  readonly timeout: number;
  /** Whether fields that the server does not know are refused. */
  readonly validate: boolean;
  /** Names of hooks, for `test --filter`. */
  readonly chosen?: (hook: StoredHook) => boolean;
  /** Done when all have ended, or one has failed, and before any is deleted for how it ended. */
  readonly beforeDeletion?: () => Promise<void>;
}

/** Helm's default: what a hook left behind goes before it runs again. */
const policiesOf = ({ delete_policies: policies }: StoredHook): readonly string[] =>
  policies === undefined || policies.length === 0 ? ["before-hook-creation"] : policies;

/** Hooks of an event in the order in which they run: by weight, kind and name. */
export function hooksInOrder(hooks: readonly StoredHook[], event: HookEvent): readonly StoredHook[] {
  const named = hooks.filter((hook) => hook.events.includes(event));
  return sortByKind(
    named.toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0)),
    "install",
  ).toSorted((a, b) => (a.weight ?? 0) - (b.weight ?? 0));
}

/**
 * Runs the hooks of an event, one after the other. A job or pod is waited for until it has ended.
 *
 * @throws FailedPrecondition when one fails; the ones behind it do not run
 */
export async function runHooks(
  session: Session,
  hooks: readonly StoredHook[],
  event: HookEvent,
  owner: Owner,
  { timeout, validate, chosen = () => true, beforeDeletion = async () => undefined }: HookOptions,
): Promise<void> {
  const sorted = hooksInOrder(hooks, event).filter(chosen);
  const removeBy = async (hook: StoredHook, policy: string): Promise<void> => {
    // Its objects, of which the hook knows nothing, would go with a definition.
    if (!policiesOf(hook).includes(policy) || hook.kind === "CustomResourceDefinition") return;
    await remove(session, await resourcesOf(session, hook.manifest, owner), timeout);
  };
  const showLogs = async (hook: StoredHook, policy: LogPolicy): Promise<void> => {
    if (hook.output_log_policies?.includes(policy) !== true) return;
    await showHookLogs(session, hook, owner).catch((error: unknown) => {
      session.io.stderr.write(`logs of hook ${hook.name} cannot be shown: ${errorMessage(error)}\n`);
    });
  };
  for (const [at, hook] of sorted.entries()) {
    const resources = await resourcesOf(session, hook.manifest, owner);
    await removeBy(hook, "before-hook-creation");
    hook.last_run = { started_at: new Date().toISOString(), completed_at: "", phase: "Running" };
    try {
      await applyResources(session, resources, [], { ...APPLIED, validate });
      const waitedFor = resources.filter(({ kind }) => kind === "Job" || kind === "Pod");
      await waitUntilReady(session, waitedFor, { timeout, wanted: "ended" });
      hook.last_run = { ...hook.last_run, completed_at: new Date().toISOString(), phase: "Succeeded" };
    } catch (error) {
      hook.last_run = { ...hook.last_run, completed_at: new Date().toISOString(), phase: "Failed" };
      await showLogs(hook, "hook-failed");
      await beforeDeletion();
      await removeBy(hook, "hook-failed");
      for (const earlier of sorted.slice(0, at)) await removeBy(earlier, "hook-succeeded");
      throw new FailedPrecondition(
        `${event} hook ${hook.path} (${hook.kind} ${hook.name}) failed: ${(error as Error).message}`,
        { cause: error },
      );
    }
  }
  await beforeDeletion();
  for (const hook of sorted.toReversed()) {
    await showLogs(hook, "hook-succeeded");
    await removeBy(hook, "hook-succeeded");
  }
}

const APPLIED = { takeOwnership: true, serverSide: false, forceConflicts: false };

async function remove(session: Session, resources: readonly Resource[], timeout: number): Promise<void> {
  for (const one of resources) {
    await deleteObject(session, one, { propagationPolicy: "Background" }).catch((error: unknown) => {
      if (!isNotFound(error)) throw error;
    });
  }
  await waitUntilGone(session, resources, timeout);
}
