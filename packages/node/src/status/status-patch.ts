import type { JsonObject } from "@boxship/api";
import type { Condition, Pod, PodStatus } from "../types.ts";

/** A strategic merge patch that gives a pod a status. What others have written of it stays. */
export function statusPatch({ metadata, status: before }: Pod, status: PodStatus): JsonObject {
  const { podIPs, hostIPs, conditions = [], ...rest } = status;
  return {
    // Another pod of the same name is another pod.
    metadata: { uid: metadata.uid ?? "" },
    status: {
      ...rest,
      conditions: [...cleared(conditions, before?.conditions), ...over(conditions, before?.conditions)],
      ...(podIPs === undefined ? {} : { podIPs: replaced(podIPs, before?.podIPs) }),
      ...(hostIPs === undefined ? {} : { hostIPs: replaced(hostIPs, before?.hostIPs) }),
    },
  };
}

/** Conditions are merged by type: the reason and the message of what is not so any more have to be taken out by name. */
function cleared(now: readonly Condition[], before: readonly Condition[] = []): JsonObject[] {
  return now.map((one) => {
    const { reason, message } = before.find(({ type }) => type === one.type) ?? {};
    return {
      ...(reason === undefined ? {} : { reason: null }),
      ...(message === undefined ? {} : { message: null }),
      ...one,
    };
  });
}

/** Conditions that are there only as long as they are true. */
const PASSING = ["PodResizePending", "PodResizeInProgress"];

function over(now: readonly Condition[], before: readonly Condition[] = []): JsonObject[] {
  const gone = before.filter(({ type }) => PASSING.includes(type) && !now.some((one) => one.type === type));
  return gone.map(({ type }) => ({ $patch: "delete", type }));
}

/** Lists of addresses are merged by address: those that are gone have to be taken out by name. */
function replaced(now: readonly { ip: string }[], before: readonly { ip: string }[] = []): JsonObject[] {
  const gone = before.filter(({ ip }) => !now.some((one) => one.ip === ip));
  return [...now.map(({ ip }) => ({ ip })), ...gone.map(({ ip }) => ({ $patch: "delete", ip }))];
}
