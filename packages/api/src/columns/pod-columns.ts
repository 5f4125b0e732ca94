import type { Column } from "../kind/kind.ts";
import type { Json } from "../object/json.ts";
import { type KubeObject, listAt, textAt, valueAt } from "../object/kube-object.ts";
import { humanDuration } from "./age.ts";
import { AGE, at, NAME, text, wide } from "./column.ts";

export const POD_COLUMNS: readonly Column[] = [
  NAME,
  text("Ready", (pod) => {
    const { ready, total } = summaryOf(pod);
    return `${ready}/${total}`;
  }),
  text("Status", (pod) => podStatus(pod)),
  text("Restarts", (pod, now) => {
    const { restarts, restartedAt } = summaryOf(pod);
    return restarts > 0 && restartedAt !== undefined
      ? `${restarts} (${humanDuration(now - Date.parse(restartedAt))} ago)`
      : String(restarts);
  }),
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

interface PodSummary {
  readonly ready: number;
  readonly total: number;
  readonly restarts: number;
  readonly restartedAt: string | undefined;
  /** The most telling of phases and of the containers' states. */
  readonly status: string;
}

/** Sidecars count as containers; restarts of other init containers only until they have done their part. */
function summaryOf(pod: KubeObject): PodSummary {
  const inits = listAt(pod, "spec", "initContainers");
  const sidecars = inits.filter((one) => textAt(one, "restartPolicy") === "Always").map((one) => textAt(one, "name"));
  const isSidecar = (status: Json): boolean => sidecars.includes(textAt(status, "name"));
  const before = listAt(pod, "status", "initContainerStatuses");
  const isBegun = (one: Json): boolean => isSidecar(one) && valueAt(one, "started") === true;
  const open = before.findIndex((one) => !isDone(one) && !isBegun(one));
  const seen = open === -1 ? before : before.slice(0, open + 1);
  const total = listAt(pod, "spec", "containers").length + sidecars.length;
  let ready = seen.filter((one) => isBegun(one) && valueAt(one, "ready") === true && !isDone(one)).length;
  const initializing = open !== -1 && !isTrue(pod, "Initialized");
  if (initializing)
    return { ready, total, ...restartsOf(seen), status: initStatus(before[open] ?? null, open, inits.length) };
  const mains = listAt(pod, "status", "containerStatuses");
  const running = mains.filter(
    (one) =>
      containerState(one) === undefined &&
      valueAt(one, "ready") === true &&
      valueAt(one, "state", "running") !== undefined,
  );
  ready += running.length;
  const states = mains.map(containerState).filter((one) => one !== undefined);
  const status = states[0] ?? phaseOf(pod);
  return {
    ready,
    total,
    ...restartsOf([...seen.filter(isSidecar), ...mains]),
    status: status === "Completed" && running.length > 0 ? (isTrue(pod, "Ready") ? "Running" : "NotReady") : status,
  };
}

function restartsOf(statuses: readonly Json[]): Pick<PodSummary, "restarts" | "restartedAt"> {
  const ends = statuses
    .map((one) => textAt(one, "lastState", "terminated", "finishedAt"))
    .filter((time) => time !== "");
  return {
    restarts: statuses.reduce((sum: number, one) => sum + Number(valueAt(one, "restartCount") ?? 0), 0),
    restartedAt: ends.sort().at(-1),
  };
}

function phaseOf(pod: KubeObject): string {
  const gated = listAt(pod, "status", "conditions").some(
    (one) => textAt(one, "type") === "PodScheduled" && textAt(one, "reason") === "SchedulingGated",
  );
  return gated ? "SchedulingGated" : textAt(pod, "status", "reason") || textAt(pod, "status", "phase");
}

/** What `kubectl get pods` shows for a status. */
export function podStatus(pod: KubeObject): string {
  const { status } = summaryOf(pod);
  if (pod.metadata.deletionTimestamp === undefined) return status;
  return textAt(pod, "status", "reason") === "NodeLost" ? "Unknown" : isOver(pod) ? status : "Terminating";
}

const isOver = (pod: KubeObject): boolean => ["Succeeded", "Failed"].includes(textAt(pod, "status", "phase"));

const isTrue = (pod: KubeObject, condition: string): boolean =>
  listAt(pod, "status", "conditions").some(
    (one) => textAt(one, "type") === condition && textAt(one, "status") === "True",
  );

const isDone = (status: Json): boolean => {
  const terminated = valueAt(status, "state", "terminated");
  return terminated !== undefined && Number(valueAt(terminated, "exitCode") ?? 0) === 0;
};

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

/** @param at which one of them @param many there are */
function initStatus(status: Json, index: number, many: number): string {
  const terminated = valueAt(status, "state", "terminated");
  if (terminated !== undefined) return `Init:${textAt(terminated, "reason") || exitText(terminated)}`;
  const waiting = textAt(status, "state", "waiting", "reason");
  return waiting !== "" && waiting !== "PodInitializing" ? `Init:${waiting}` : `Init:${index}/${many}`;
}
