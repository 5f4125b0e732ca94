import type { Column } from "../kind/kind.ts";
import type { Json } from "../object/json.ts";
import { type KubeObject, listAt, textAt, valueAt } from "../object/kube-object.ts";
import { humanDuration } from "./age.ts";
import { AGE, at, NAME, text, wide } from "./column.ts";

export const POD_COLUMNS: readonly Column[] = [
  NAME,
  text("Ready", (pod) => {
    const statuses = listAt(pod, "status", "containerStatuses");
    const ready = statuses.filter((one) => valueAt(one, "ready") === true).length;
    return `${ready}/${listAt(pod, "spec", "containers").length}`;
  }),
  text("Status", (pod) => podStatus(pod)),
  text("Restarts", restarts),
  AGE,
  wide("IP", (pod) => textAt(listAt(pod, "status", "podIPs")[0], "ip") || textAt(pod, "status", "podIP") || "<none>"),
  wide("Node", at("spec.nodeName", "<none>")),
  wide("Nominated Node", at("status.nominatedNodeName", "<none>")),
  wide("Readiness Gates", (pod) => {
    const gates = listAt(pod, "spec", "readinessGates").map((one) => textAt(one, "conditionType"));
    if (gates.length === 0) return "<none>";
    const conditions = listAt(pod, "status", "conditions").filter((one) => textAt(one, "status") === "True");
    const met = gates.filter((gate) => conditions.some((one) => textAt(one, "type") === gate)).length;
    return `${met}/${gates.length}`;
  }),
];

function restarts(pod: KubeObject, now: number): Json {
  const statuses = listAt(pod, "status", "containerStatuses");
  const total = statuses.reduce((sum: number, one) => sum + Number(valueAt(one, "restartCount") ?? 0), 0);
  const last = statuses
    .map((one) => textAt(one, "lastState", "terminated", "finishedAt"))
    .filter((time) => time !== "")
    .sort()
    .at(-1);
  return total > 0 && last !== undefined ? `${total} (${humanDuration(now - Date.parse(last))} ago)` : String(total);
}

/** What `kubectl get pods` shows for a status: the most telling of phases and of the containers' states. */
export function podStatus(pod: KubeObject): string {
  let status = textAt(pod, "status", "reason") || textAt(pod, "status", "phase");
  const initializing = initStatus(pod);
  if (initializing !== undefined) status = initializing;
  else {
    let running = false;
    for (const one of listAt(pod, "status", "containerStatuses").toReversed()) {
      const state = containerState(one);
      if (state !== undefined) status = state;
      else if (valueAt(one, "ready") === true && valueAt(one, "state", "running") !== undefined) running = true;
    }
    if (status === "Completed" && running) status = isReady(pod) ? "Running" : "NotReady";
  }
  if (pod.metadata.deletionTimestamp !== undefined) {
    return textAt(pod, "status", "reason") === "NodeLost" ? "Unknown" : isOver(pod) ? status : "Terminating";
  }
  return status;
}

const isOver = (pod: KubeObject): boolean => ["Succeeded", "Failed"].includes(textAt(pod, "status", "phase"));

const isReady = (pod: KubeObject): boolean =>
  listAt(pod, "status", "conditions").some(
    (one) => textAt(one, "type") === "Ready" && textAt(one, "status") === "True",
  );

function containerState(status: Json): string | undefined {
  const waiting = textAt(status, "state", "waiting", "reason");
  if (waiting !== "") return waiting;
  const terminated = valueAt(status, "state", "terminated");
  if (terminated === undefined) return undefined;
  return textAt(terminated, "reason") || exitText(terminated);
}

function exitText(terminated: Json): string {
  const signal = Number(valueAt(terminated, "signal") ?? 0);
  return signal === 0 ? `ExitCode:${textAt(terminated, "exitCode") || "0"}` : `Signal:${signal}`;
}

function initStatus(pod: KubeObject): string | undefined {
  const total = listAt(pod, "spec", "initContainers").length;
  for (const [index, one] of listAt(pod, "status", "initContainerStatuses").entries()) {
    const terminated = valueAt(one, "state", "terminated");
    if (terminated !== undefined && Number(valueAt(terminated, "exitCode") ?? 0) === 0) continue;
    if (valueAt(one, "started") === true && valueAt(one, "ready") === true) continue;
    if (terminated !== undefined) return `Init:${textAt(terminated, "reason") || exitText(terminated)}`;
    const waiting = textAt(one, "state", "waiting", "reason");
    return waiting !== "" && waiting !== "PodInitializing" ? `Init:${waiting}` : `Init:${index}/${total}`;
  }
  return undefined;
}
