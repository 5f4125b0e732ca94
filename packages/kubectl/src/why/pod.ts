import { type KubeObject, listAt, textAt } from "@boxship/api";
import type { Cause } from "./cause.ts";
import { whyClaim } from "./claim.ts";
import { whyContainers } from "./containers.ts";
import { conditionOf, type Facts, within } from "./facts.ts";
import { whyUnschedulable } from "./unschedulable.ts";

/** Why a pod does not run, or is not ready. */
export async function whyPod(facts: Facts, pod: KubeObject): Promise<readonly Cause[]> {
  const phase = textAt(pod, "status", "phase");
  const reason = textAt(pod, "status", "reason");
  if (phase === "Failed" && reason !== "") {
    return [
      {
        says: `it has failed (${reason}): ${textAt(pod, "status", "message")}`,
        causes: await whyContainers(facts, pod),
      },
    ];
  }
  if (textAt(pod, "spec", "nodeName") === "") return [await whyUnplaced(facts, pod)];
  const causes = [...(await whyContainers(facts, pod))];
  if (causes.length > 0 || phase === "Succeeded") return causes;
  for (const gate of listAt(pod, "spec", "readinessGates")) {
    const type = textAt(gate, "conditionType");
    if (textAt(conditionOf(pod, type) ?? {}, "status") === "True") continue;
    causes.push({ says: `its readiness gate ${type} is not open: whoever looks after that condition has not set it` });
  }
  if (listAt(pod, "status", "containerStatuses").length > 0) return causes;
  const node = textAt(pod, "spec", "nodeName");
  return [{ says: `node ${node} has not begun with it`, help: [`boxship why node/${node}`] }];
}

async function whyUnplaced(facts: Facts, pod: KubeObject): Promise<Cause> {
  const placed = conditionOf(pod, "PodScheduled");
  const gates = listAt(pod, "spec", "schedulingGates").map((one) => textAt(one, "name"));
  if (gates.length > 0)
    return { says: `it is not looked at before these scheduling gates are taken away: ${gates.join(", ")}` };
  if (placed === undefined) {
    const scheduler = textAt(pod, "spec", "schedulerName") || "default-scheduler";
    return { says: `scheduler ${scheduler} has not looked at it`, help: [`see that ${scheduler} runs${within(pod)}`] };
  }
  return await whyUnschedulable(facts, pod, textAt(placed, "message"), (claim) => whyClaim(facts, claim));
}
