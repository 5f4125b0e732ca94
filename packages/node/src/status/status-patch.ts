import type { JsonObject } from "@boxship/api";
import type { Pod, PodStatus } from "../types.ts";

/** A strategic merge patch that gives a pod a status. What others have written of it stays. */
export function statusPatch({ metadata, status: before }: Pod, status: PodStatus): JsonObject {
  const { podIPs, hostIPs, ...rest } = status;
  return {
    // Another pod of the same name is another pod.
    metadata: { uid: metadata.uid ?? "" },
    status: {
      ...rest,
      ...(podIPs === undefined ? {} : { podIPs: replaced(podIPs, before?.podIPs) }),
      ...(hostIPs === undefined ? {} : { hostIPs: replaced(hostIPs, before?.hostIPs) }),
    },
  };
}

/** Lists of addresses are merged by address: those that are gone have to be taken out by name. */
function replaced(now: readonly { ip: string }[], before: readonly { ip: string }[] = []): JsonObject[] {
  const gone = before.filter(({ ip }) => !now.some((one) => one.ip === ip));
  return [...now.map(({ ip }) => ({ ip })), ...gone.map(({ ip }) => ({ $patch: "delete", ip }))];
}
