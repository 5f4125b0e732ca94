import { timestamp } from "@boxship/api";
import { type Clock, NotFound } from "@boxship/base";
import type { ApiClient } from "@boxship/client";
import type { PodInfo } from "../pod/pod-info.ts";
import { podRef } from "../report.ts";

/** Takes a pod away for the sake of a more important one; first it is written down that it was so. */
export async function evict(client: ApiClient, victim: PodInfo, by: PodInfo, clock: Clock): Promise<void> {
  const condition = {
    type: "DisruptionTarget",
    status: "True",
    reason: "PreemptionByScheduler",
    message: `${by.spec.schedulerName ?? "default-scheduler"}: preempting to accommodate a higher priority pod`,
    lastTransitionTime: timestamp(clock.now()),
  };
  const ref = podRef(victim.pod);
  try {
    await client.patch(ref, "strategic", { status: { conditions: [condition] } }, { subresource: "status" });
    await client.delete(ref, { preconditions: { uid: victim.uid } });
  } catch (error) {
    if (!(error instanceof NotFound)) throw error;
  }
}
