import { isObject, type Json, type JsonObject } from "../object/json.ts";
import { type KubeObject, listAt, textAt, valueAt } from "../object/kube-object.ts";
import { fromBehavior, fromMetric, fromMetricStatus, toBehavior, toMetric, toMetricStatus } from "./metrics.ts";

/** Where `autoscaling/v1` keeps what it has no fields for: upstream's names. */
const ANNOTATIONS = {
  behavior: "autoscaling.alpha.kubernetes.io/behavior",
  conditions: "autoscaling.alpha.kubernetes.io/conditions",
  currentMetrics: "autoscaling.alpha.kubernetes.io/current-metrics",
  metrics: "autoscaling.alpha.kubernetes.io/metrics",
} as const;

const DEFAULT_UTILIZATION = 80;

const object = (value: Json | undefined): JsonObject => (isObject(value) ? value : {});

function isCpu(metric: Json): boolean {
  return textAt(metric, "type") === "Resource" && textAt(metric, "resource", "name") === "cpu";
}

const cpuOf = (metric: Json, field: "target" | "current"): Json | undefined =>
  isCpu(metric) ? valueAt(metric, "resource", field, "averageUtilization") : undefined;

/** The mean use of CPUs is what `autoscaling/v1` knows; all else goes into annotations. */
export function autoscalerToV1(autoscaler: KubeObject): KubeObject {
  const [metrics, current] = [listAt(autoscaler, "spec", "metrics"), listAt(autoscaler, "status", "currentMetrics")];
  const { metrics: _, behavior, ...spec } = object(autoscaler["spec"]);
  const { currentMetrics: __, conditions, ...status } = object(autoscaler["status"]);
  const wanted = metrics.map((one) => cpuOf(one, "target")).find((one) => one !== undefined);
  if (wanted !== undefined) spec["targetCPUUtilizationPercentage"] = wanted;
  const used = current.map((one) => cpuOf(one, "current")).findLast((one) => one !== undefined);
  if (used !== undefined) status["currentCPUUtilizationPercentage"] = used;
  const others = metrics.filter((one) => cpuOf(one, "target") === undefined);
  const annotations = withoutOurs(autoscaler);
  const note = (name: string, value: Json | undefined): void => {
    if (value !== undefined && (!Array.isArray(value) || value.length > 0)) annotations[name] = JSON.stringify(value);
  };
  note(ANNOTATIONS.metrics, others.map(toMetric));
  note(ANNOTATIONS.currentMetrics, current.map(toMetricStatus));
  note(ANNOTATIONS.behavior, behavior === undefined ? undefined : toBehavior(behavior));
  note(ANNOTATIONS.conditions, conditions);
  return remade(autoscaler, "autoscaling/v1", annotations, spec, {
    ...status,
    // Required there.
    currentReplicas: status["currentReplicas"] ?? 0,
    desiredReplicas: status["desiredReplicas"] ?? 0,
  });
}

export function autoscalerToV2(autoscaler: KubeObject): KubeObject {
  const { targetCPUUtilizationPercentage: target, ...spec } = object(autoscaler["spec"]);
  const { currentCPUUtilizationPercentage: used, ...status } = object(autoscaler["status"]);
  const noted = (name: string): Json | undefined => parsed(autoscaler.metadata.annotations?.[name]);
  const others = noted(ANNOTATIONS.metrics);
  const metrics = [
    ...(Array.isArray(others) ? others.map(fromMetric) : []),
    ...(target === undefined ? [] : [cpu("target", { type: "Utilization", averageUtilization: target })]),
  ];
  spec["metrics"] =
    metrics.length > 0 ? metrics : [cpu("target", { type: "Utilization", averageUtilization: DEFAULT_UTILIZATION })];
  const behavior = noted(ANNOTATIONS.behavior);
  if (isObject(behavior)) spec["behavior"] = fromBehavior(behavior);
  const current = noted(ANNOTATIONS.currentMetrics);
  if (Array.isArray(current)) status["currentMetrics"] = current.map(fromMetricStatus);
  else if (used !== undefined) status["currentMetrics"] = [cpu("current", { averageUtilization: used })];
  else if (Object.keys(status).length > 0) status["currentMetrics"] = null;
  const conditions = noted(ANNOTATIONS.conditions);
  if (Array.isArray(conditions)) status["conditions"] = conditions;
  return remade(autoscaler, "autoscaling/v2", withoutOurs(autoscaler), spec, status);
}

const cpu = (field: string, value: JsonObject): JsonObject => ({
  type: "Resource",
  resource: { name: "cpu", [field]: value },
});

function withoutOurs({ metadata }: KubeObject): Record<string, string> {
  const annotations = { ...metadata.annotations };
  for (const name of Object.values(ANNOTATIONS)) delete annotations[name];
  return annotations;
}

function parsed(text: string | undefined): Json | undefined {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as Json;
  } catch {
    // Somebody else's words: no field is made of them.
    return undefined;
  }
}

function remade(
  { kind, metadata }: KubeObject,
  apiVersion: string,
  annotations: Record<string, string>,
  spec: JsonObject,
  status: JsonObject,
): KubeObject {
  const own = { ...metadata, annotations };
  const { annotations: _, ...bare } = own;
  return { apiVersion, kind, metadata: Object.keys(annotations).length === 0 ? bare : own, spec, status };
}
