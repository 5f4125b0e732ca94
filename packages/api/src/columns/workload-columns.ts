import type { Column } from "../kind/kind.ts";
import type { Json } from "../object/json.ts";
import { type KubeObject, listAt, textAt, valueAt } from "../object/kube-object.ts";
import { age, humanDuration } from "./age.ts";
import {
  AGE,
  at,
  CONTAINERS,
  containersAt,
  count,
  NAME,
  number,
  SELECTOR,
  selectorText,
  text,
  wide,
} from "./column.ts";

const replicasReady: Column = text(
  "Ready",
  (object) =>
    `${Number(valueAt(object, "status", "readyReplicas") ?? 0)}/${Number(valueAt(object, "spec", "replicas") ?? 0)}`,
);

const REPLICAS: readonly Column[] = [
  NAME,
  number("Desired", count("spec.replicas")),
  number("Current", count("status.replicas")),
  number("Ready", count("status.readyReplicas")),
  AGE,
  ...CONTAINERS,
];

export const WORKLOAD_COLUMNS: Readonly<Record<string, readonly Column[]>> = {
  "controllerrevisions.apps": [
    NAME,
    text("Controller", ({ metadata }) => {
      const owner = metadata.ownerReferences?.find(({ controller }) => controller === true);
      return owner === undefined
        ? "<none>"
        : `${[owner.kind, ...owner.apiVersion.split("/").slice(0, -1)].join(".").toLowerCase()}/${owner.name}`;
    }),
    number("Revision", count("revision")),
    AGE,
  ],
  "cronjobs.batch": [
    NAME,
    text("Schedule", at("spec.schedule")),
    text("Timezone", at("spec.timeZone", "<none>")),
    {
      ...text("Suspend", (object) => {
        const suspend = valueAt(object, "spec", "suspend");
        return typeof suspend === "boolean" ? (suspend ? "True" : "False") : "<unset>";
      }),
      type: "boolean",
    },
    number("Active", (object) => listAt(object, "status", "active").length),
    text("Last Schedule", (object, now) => {
      const last = valueAt(object, "status", "lastScheduleTime");
      return last === undefined ? "<none>" : age(last, now);
    }),
    AGE,
    ...containersAt("spec", "jobTemplate", "spec", "template", "spec", "containers"),
    { ...SELECTOR, cell: (object) => selectorText(valueAt(object, "spec", "jobTemplate", "spec", "selector")) },
  ],
  "daemonsets.apps": [
    NAME,
    number("Desired", count("status.desiredNumberScheduled")),
    number("Current", count("status.currentNumberScheduled")),
    number("Ready", count("status.numberReady")),
    number("Up-to-date", count("status.updatedNumberScheduled")),
    number("Available", count("status.numberAvailable")),
    text("Node Selector", (object) => selectorText(valueAt(object, "spec", "template", "spec", "nodeSelector"), true)),
    AGE,
    ...CONTAINERS,
    SELECTOR,
  ],
  "deployments.apps": [
    NAME,
    replicasReady,
    number("Up-to-date", count("status.updatedReplicas")),
    number("Available", count("status.availableReplicas")),
    AGE,
    ...CONTAINERS,
    SELECTOR,
  ],
  "horizontalpodautoscalers.autoscaling": [
    NAME,
    text(
      "Reference",
      (object) =>
        `${textAt(object, "spec", "scaleTargetRef", "kind")}/${textAt(object, "spec", "scaleTargetRef", "name")}`,
    ),
    text("Targets", targets),
    text("MinPods", (object) => textAt(object, "spec", "minReplicas") || "<unset>"),
    number("MaxPods", count("spec.maxReplicas")),
    number("Replicas", count("status.currentReplicas")),
    AGE,
  ],
  "jobs.batch": [
    NAME,
    text("Status", jobStatus),
    text("Completions", completions),
    text("Duration", (object, now) => {
      const start = textAt(object, "status", "startTime");
      if (start === "") return "";
      const end = textAt(object, "status", "completionTime");
      return humanDuration((end === "" ? now : Date.parse(end)) - Date.parse(start));
    }),
    AGE,
    ...CONTAINERS,
    SELECTOR,
  ],
  "poddisruptionbudgets.policy": [
    NAME,
    text("Min Available", at("spec.minAvailable", "N/A")),
    text("Max Unavailable", at("spec.maxUnavailable", "N/A")),
    number("Allowed Disruptions", count("status.disruptionsAllowed")),
    AGE,
  ],
  "replicasets.apps": [...REPLICAS, SELECTOR],
  replicationcontrollers: [
    ...REPLICAS,
    { ...SELECTOR, cell: (object) => selectorText(valueAt(object, "spec", "selector"), true) },
  ],
  "statefulsets.apps": [NAME, replicasReady, AGE, ...CONTAINERS],
  "leases.coordination.k8s.io": [NAME, text("Holder", at("spec.holderIdentity")), AGE],
  podtemplates: [
    NAME,
    ...containersAt("template", "spec", "containers").map((column) => ({ ...column, priority: 0 })),
    text("Pod Labels", (object) => selectorText(valueAt(object, "template", "metadata", "labels"), true)),
  ],
  events: [
    text("Last Seen", (object, now) => {
      const series = valueAt(object, "series", "lastObservedTime") ?? undefined;
      return age(series ?? valueAt(object, "lastTimestamp") ?? firstSeen(object), now);
    }),
    text("Type", at("type")),
    text("Reason", at("reason")),
    text("Object", (object) => {
      const [kind, name] = [textAt(object, "involvedObject", "kind"), textAt(object, "involvedObject", "name")];
      return name === "" ? kind.toLowerCase() : `${kind.toLowerCase()}/${name}`;
    }),
    wide("Subobject", at("involvedObject.fieldPath")),
    wide("Source", (object) => {
      const component = textAt(object, "source", "component") || textAt(object, "reportingComponent");
      const instance = textAt(object, "source", "host") || textAt(object, "reportingInstance");
      return instance === "" ? component : `${component}, ${instance}`;
    }),
    text("Message", (object) => textAt(object, "message").trim()),
    wide("First Seen", (object, now) => age(firstSeen(object), now)),
    wide("Count", (object) => Number(valueAt(object, "series", "count") ?? valueAt(object, "count") ?? 1) || 1),
    { ...NAME, priority: 1 },
  ],
};

const firstSeen = (event: KubeObject): Json | undefined =>
  valueAt(event, "firstTimestamp") ?? valueAt(event, "eventTime");

function jobStatus(job: KubeObject): string {
  const has = (type: string): boolean =>
    listAt(job, "status", "conditions").some((one) => textAt(one, "type") === type && textAt(one, "status") === "True");
  if (has("Complete")) return "Complete";
  if (has("Failed")) return "Failed";
  if (job.metadata.deletionTimestamp !== undefined) return "Terminating";
  if (has("Suspended")) return "Suspended";
  if (has("FailureTarget")) return "FailureTarget";
  return has("SuccessCriteriaMet") ? "SuccessCriteriaMet" : "Running";
}

function completions(job: KubeObject): string {
  const done = Number(valueAt(job, "status", "succeeded") ?? 0);
  const wanted = valueAt(job, "spec", "completions");
  if (wanted !== undefined) return `${done}/${Number(wanted)}`;
  const parallel = Number(valueAt(job, "spec", "parallelism") ?? 0);
  return parallel > 1 ? `${done}/1 of ${parallel}` : `${done}/1`;
}

/** Metrics with what they are now; statuses are in the order of metrics. */
function targets(autoscaler: KubeObject): string {
  const metrics = listAt(autoscaler, "spec", "metrics");
  if (metrics.length === 0) return "<none>";
  const statuses = listAt(autoscaler, "status", "currentMetrics");
  const texts = metrics.slice(0, 2).map((metric, index) => metricText(metric, statuses[index]));
  return metrics.length > 2 ? `${texts.join(", ")} + ${metrics.length - 2} more...` : texts.join(", ");
}

const METRICS: Readonly<Record<string, string>> = {
  ContainerResource: "containerResource",
  External: "external",
  Object: "object",
  Pods: "pods",
  Resource: "resource",
};

function metricText(metric: Json, status: Json | undefined): string {
  const type = textAt(metric, "type");
  const field = METRICS[type];
  if (field === undefined) return "<unknown type>";
  const wanted = (name: string): string => textAt(metric, field, "target", name);
  const now = (name: string): string => textAt(status, field, "current", name) || "<unknown>";
  const isAverage = wanted("averageValue") !== "";
  const average = `${now("averageValue")}/${wanted("averageValue")}`;
  switch (type) {
    case "Pods":
      return average;
    case "External":
    case "Object":
      return isAverage ? `${average} (avg)` : `${now("value")}/${wanted("value")}`;
    default: {
      const name = textAt(metric, field, "name");
      if (isAverage) return `${name}: ${average}`;
      const used = textAt(status, field, "current", "averageUtilization");
      const goal = wanted("averageUtilization");
      return `${name}: ${used === "" ? "<unknown>" : `${used}%`}/${goal === "" ? "<auto>" : `${goal}%`}`;
    }
  }
}
