import { FailedPrecondition } from "@boxship/base/errors";
import { deleteObject, isNotFound, type Session, waitUntilGone } from "@boxship/kubectl/cluster";
import { sortByKind } from "../manifest/kind-order.ts";
import type { HookEvent } from "../manifest/manifest.ts";
import { waitUntilReady } from "./readiness.ts";
import type { StoredHook } from "./release.ts";
import { applyResources, type Owner, type Resource, resourcesOf } from "./resources.ts";

export interface HookOptions {
  /** Milliseconds that each may take. */
  readonly timeout: number;
  /** Names of hooks, for `test --filter`. */
  readonly chosen?: (hook: StoredHook) => boolean;
}

/** Helm's default: what a hook left behind goes before it runs again. */
const policiesOf = ({ delete_policies: policies }: StoredHook): readonly string[] =>
  policies.length === 0 ? ["before-hook-creation"] : policies;

/**
 * Runs the hooks of an event, one after the other: by weight, kind and name. A job or pod is waited for.
 *
 * @throws FailedPrecondition when one fails; the ones behind it do not run
 */
export async function runHooks(
  session: Session,
  hooks: readonly StoredHook[],
  event: HookEvent,
  owner: Owner,
  { timeout, chosen = () => true }: HookOptions,
): Promise<readonly StoredHook[]> {
  const named = hooks.filter((hook) => hook.events.includes(event) && chosen(hook));
  const sorted = sortByKind(
    named.toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0)),
    "install",
  ).toSorted((a, b) => a.weight - b.weight);
  for (const hook of sorted) {
    const resources = await resourcesOf(session, hook.manifest, owner);
    if (policiesOf(hook).includes("before-hook-creation")) await remove(session, resources, timeout);
    hook.last_run = { started_at: new Date().toISOString(), completed_at: "", phase: "Running" };
    try {
      await applyResources(session, resources, [], { takeOwnership: true, serverSide: false, forceConflicts: false });
      const waitedFor = resources.filter(({ kind }) => kind === "Job" || kind === "Pod");
      await waitUntilReady(session, waitedFor, { timeout, jobs: true });
      hook.last_run = { ...hook.last_run, completed_at: new Date().toISOString(), phase: "Succeeded" };
    } catch (error) {
      hook.last_run = { ...hook.last_run, completed_at: new Date().toISOString(), phase: "Failed" };
      if (policiesOf(hook).includes("hook-failed")) await remove(session, resources, timeout);
      throw new FailedPrecondition(
        `${event} hook ${hook.path} (${hook.kind} ${hook.name}) failed: ${(error as Error).message}`,
        {
          cause: error,
        },
      );
    }
  }
  for (const hook of sorted) {
    if (policiesOf(hook).includes("hook-succeeded"))
      await remove(session, await resourcesOf(session, hook.manifest, owner), timeout);
  }
  return sorted;
}

async function remove(session: Session, resources: readonly Resource[], timeout: number): Promise<void> {
  for (const one of resources) {
    await deleteObject(session, one, { propagationPolicy: "Background" }).catch((error: unknown) => {
      if (!isNotFound(error)) throw error;
    });
  }
  await waitUntilGone(session, resources, timeout);
}
