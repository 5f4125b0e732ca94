import { type KubeObject, statusOf } from "@boxship/api";
import { BoxshipError, errorMessage, NotFound } from "@boxship/base";
import type { ControllerContext } from "../contract.ts";
import type { Pod } from "../types/pod.ts";
import { controllerReference } from "./owners.ts";
import { PODS, refOf } from "./resources.ts";

type Tools = Pick<ControllerContext, "client" | "events">;

/** Makes a pod that the owner controls, and tells of it. */
export async function createPod({ client, events }: Tools, owner: KubeObject, pod: Pod): Promise<Pod> {
  const { namespace = "" } = owner.metadata;
  pod.metadata.ownerReferences = [controllerReference(owner)];
  try {
    const created = await client.create({ ...PODS, namespace }, pod);
    events.record(owner, "Normal", "SuccessfulCreate", `Created pod: ${created.metadata.name}`);
    return created;
  } catch (error) {
    if (!isNamespaceTerminating(error)) {
      events.record(owner, "Warning", "FailedCreate", `Error creating: ${errorMessage(error)}`);
    }
    throw error;
  }
}

/** Deletes a pod, and tells of it; one that is gone is a success. */
export async function deletePod({ client, events }: Tools, owner: KubeObject, pod: Pod): Promise<void> {
  const { uid = "", name = "" } = pod.metadata;
  try {
    await client.delete(refOf(PODS, pod), { preconditions: { uid } });
    events.record(owner, "Normal", "SuccessfulDelete", `Deleted pod: ${name}`);
  } catch (error) {
    if (error instanceof NotFound) return;
    events.record(owner, "Warning", "FailedDelete", `Error deleting: ${errorMessage(error)}`);
    throw error;
  }
}

/** Nothing can be made there any more, and nobody needs to hear of it. */
export function isNamespaceTerminating(error: unknown): boolean {
  if (!(error instanceof BoxshipError)) return false;
  return statusOf(error)?.details?.causes?.some(({ reason }) => reason === "NamespaceTerminating") ?? false;
}
