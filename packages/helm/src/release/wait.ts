import type { Session } from "@boxship/kubectl/cluster";
import { waitUntilReady } from "./readiness.ts";
import type { Resource } from "./resources.ts";

/** Waits for what has been made where that was asked for. */
export async function readinessWait(
  session: Session,
  resources: readonly Resource[],
  { wait, waitForJobs, timeout }: { readonly wait: boolean; readonly waitForJobs: boolean; readonly timeout: number },
): Promise<void> {
  if (wait || waitForJobs)
    await waitUntilReady(session, resources, { timeout, wanted: waitForJobs ? "jobs-ended" : "ready" });
}
