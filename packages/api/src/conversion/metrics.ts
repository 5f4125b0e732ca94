import { isObject, type Json, type JsonObject } from "../object/json.ts";
import { textAt, valueAt } from "../object/kube-object.ts";

/**
 * Metrics of `autoscaling/v2` in the flat form of older versions, which `autoscaling/v1` keeps them in, and back: the
 * field of a metric is named after its type.
 */
const FIELDS: Readonly<Record<string, string>> = {
  ContainerResource: "containerResource",
  External: "external",
  Object: "object",
  Pods: "pods",
  Resource: "resource",
};

function changed(metric: Json, change: (type: string, of: Json) => JsonObject): JsonObject {
  const type = textAt(metric, "type");
  const field = FIELDS[type];
  const of = field === undefined ? undefined : valueAt(metric, field);
  return { type, ...(field === undefined || of === undefined ? {} : { [field]: compact(change(type, of)) }) };
}

function compact(value: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined));
}

export const toMetric = (metric: Json): JsonObject =>
  changed(metric, (type, of) => {
    const [value, average] = [valueAt(of, "target", "value"), valueAt(of, "target", "averageValue")];
    const [metricName, selector] = [valueAt(of, "metric", "name"), valueAt(of, "metric", "selector")];
    switch (type) {
      case "External":
        return { metricName, metricSelector: selector, targetValue: value, targetAverageValue: average };
      case "Object":
        return {
          target: valueAt(of, "describedObject"),
          metricName,
          targetValue: value ?? "0",
          selector,
          averageValue: average,
        };
      case "Pods":
        return { metricName, targetAverageValue: average ?? "0", selector };
      default:
        return {
          name: valueAt(of, "name"),
          targetAverageUtilization: valueAt(of, "target", "averageUtilization"),
          targetAverageValue: average,
          container: valueAt(of, "container"),
        };
    }
  });

export const fromMetric = (metric: Json): JsonObject =>
  changed(metric, (type, of) => {
    const [value, average] = [valueAt(of, "targetValue"), valueAt(of, "targetAverageValue")];
    switch (type) {
      case "External":
        return {
          metric: compact({ name: valueAt(of, "metricName"), selector: valueAt(of, "metricSelector") }),
          target: compact({ type: value === undefined ? "AverageValue" : "Value", value, averageValue: average }),
        };
      case "Object": {
        const own = valueAt(of, "averageValue");
        return {
          describedObject: valueAt(of, "target"),
          metric: compact({ name: valueAt(of, "metricName"), selector: valueAt(of, "selector") }),
          target: compact({ type: own === undefined ? "Value" : "AverageValue", value, averageValue: own }),
        };
      }
      case "Pods":
        return {
          metric: compact({ name: valueAt(of, "metricName"), selector: valueAt(of, "selector") }),
          target: compact({ type: "AverageValue", averageValue: average }),
        };
      default: {
        const utilization = valueAt(of, "targetAverageUtilization");
        return {
          name: valueAt(of, "name"),
          container: valueAt(of, "container"),
          target: compact({
            type: utilization === undefined ? "AverageValue" : "Utilization",
            averageUtilization: utilization,
            averageValue: average,
          }),
        };
      }
    }
  });

export const toMetricStatus = (metric: Json): JsonObject =>
  changed(metric, (type, of) => {
    const [value, average] = [valueAt(of, "current", "value"), valueAt(of, "current", "averageValue")];
    const [metricName, selector] = [valueAt(of, "metric", "name"), valueAt(of, "metric", "selector")];
    switch (type) {
      case "External":
        return { metricName, metricSelector: selector, currentValue: value ?? "0", currentAverageValue: average };
      case "Object":
        return {
          target: valueAt(of, "describedObject"),
          metricName,
          currentValue: value ?? "0",
          selector,
          averageValue: average,
        };
      case "Pods":
        return { metricName, currentAverageValue: average ?? "0", selector };
      default:
        return {
          name: valueAt(of, "name"),
          currentAverageUtilization: valueAt(of, "current", "averageUtilization"),
          currentAverageValue: average ?? "0",
          container: valueAt(of, "container"),
        };
    }
  });

export const fromMetricStatus = (metric: Json): JsonObject =>
  changed(metric, (type, of) => {
    const average = valueAt(of, "currentAverageValue");
    const metricOf = (selector: string): JsonObject =>
      compact({ name: valueAt(of, "metricName"), selector: valueAt(of, selector) });
    switch (type) {
      case "External":
        return {
          metric: metricOf("metricSelector"),
          current: compact({ value: valueAt(of, "currentValue"), averageValue: average }),
        };
      case "Object":
        return {
          describedObject: valueAt(of, "target"),
          metric: metricOf("selector"),
          current: compact({ value: valueAt(of, "currentValue"), averageValue: valueAt(of, "averageValue") }),
        };
      case "Pods":
        return { metric: metricOf("selector"), current: compact({ averageValue: average }) };
      default:
        return {
          name: valueAt(of, "name"),
          container: valueAt(of, "container"),
          current: compact({
            averageUtilization: valueAt(of, "currentAverageUtilization"),
            averageValue: average,
          }),
        };
    }
  });

/** Upstream writes this one with the names of its own types, and all of their fields. */
export function toBehavior(behavior: Json): JsonObject {
  const rules = (name: string): Json => {
    const of = valueAt(behavior, name);
    if (!isObject(of)) return null;
    const policies = of["policies"];
    return {
      StabilizationWindowSeconds: of["stabilizationWindowSeconds"] ?? null,
      SelectPolicy: of["selectPolicy"] ?? null,
      Policies: Array.isArray(policies) ? policies.map((one) => renamed(one, upperFirst)) : null,
      Tolerance: of["tolerance"] ?? null,
    };
  };
  return { ScaleUp: rules("scaleUp"), ScaleDown: rules("scaleDown") };
}

export function fromBehavior(behavior: JsonObject): JsonObject {
  return renamed(behavior, lowerFirst);
}

const upperFirst = (name: string): string => name.slice(0, 1).toUpperCase() + name.slice(1);
const lowerFirst = (name: string): string => name.slice(0, 1).toLowerCase() + name.slice(1);

/** With other names, all the way down, and without what is null. */
function renamed(value: Json, rename: (name: string) => string): JsonObject {
  const walk = (one: Json): Json => {
    if (Array.isArray(one)) return one.map(walk);
    return isObject(one) ? renamed(one, rename) : one;
  };
  const entries = Object.entries(isObject(value) ? value : {});
  return Object.fromEntries(
    entries.flatMap(([name, item]) =>
      item === null || item === undefined ? [] : [[rename(name), walk(item)] as const],
    ),
  );
}
