import { isObject, type Json, type KubeObject, listAt, textAt, valueAt } from "@boxship/api";
import type { Session } from "../session.ts";
import { writeConditions } from "./conditions.ts";
import { heading, marks } from "./config.ts";
import { writeEvents } from "./events.ts";
import { type Lines, longTime, orNone } from "./lines.ts";

export async function describeAutoscaler(session: Session, object: KubeObject): Promise<string> {
  const lines = heading(object);
  const at = (...path: string[]): string => textAt(object, ...path);
  const put = (title: string, value: string): void => lines.raw(`${title}:\t${value}\n`);
  marks(lines, object);
  put("CreationTimestamp", longTime(at("metadata", "creationTimestamp")));
  put("Reference", `${at("spec", "scaleTargetRef", "kind")}/${at("spec", "scaleTargetRef", "name")}`);
  put("Metrics", "( current / target )");
  const current = listAt(object, "status", "currentMetrics");
  listAt(object, "spec", "metrics").forEach((metric, index) => lines.add(1, metricText(metric, current[index])));
  put("Min replicas", orNone(at("spec", "minReplicas"), "<unset>"));
  put("Max replicas", at("spec", "maxReplicas"));
  if (valueAt(object, "spec", "behavior") !== undefined) {
    lines.add(0, "Behavior:");
    writeDirection(lines, "Scale Up", valueAt(object, "spec", "behavior", "scaleUp"));
    writeDirection(lines, "Scale Down", valueAt(object, "spec", "behavior", "scaleDown"));
  }
  const count = (field: string): string => at("status", field) || "0";
  put(
    `${at("spec", "scaleTargetRef", "kind")} pods`,
    `${count("currentReplicas")} current / ${count("desiredReplicas")} desired`,
  );
  writeConditions(lines, object, ["type", "status", "reason", "message"]);
  await writeEvents(session, object, lines);
  return lines.text;
}

const UNKNOWN = "<unknown>";

function metricText(metric: Json, current: Json | undefined): string {
  const type = textAt(metric, "type");
  const field = `${type.charAt(0).toLowerCase()}${type.slice(1)}`;
  const source = valueAt(metric, field);
  if (!isObject(source)) return `<unknown metric type ${JSON.stringify(type)}>`;
  const target = (name: string): string => textAt(source, "target", name);
  const now = (name: string): string => textAt(current, field, "current", name);
  const has = valueAt(current, field) !== undefined;
  const average = `${orNone(now("averageValue"), UNKNOWN)} / ${target("averageValue")}`;
  const whole = `${has ? now("value") || "<nil>" : UNKNOWN} / ${target("value") || "<nil>"}`;
  const name = textAt(source, "metric", "name");
  switch (type) {
    case "External":
      return target("averageValue") === ""
        ? `${JSON.stringify(name)} (target value):\t${whole}`
        : `${JSON.stringify(name)} (target average value):\t${average}`;
    case "Pods":
      return `${JSON.stringify(name)} on pods:\t${average}`;
    case "Object": {
      const where = `"${name}" on ${textAt(source, "describedObject", "kind")}/${textAt(source, "describedObject", "name")} `;
      return target("type") === "AverageValue"
        ? `${where}(target average value):\t${average}`
        : `${where}(target value):\t${whole}`;
    }
    default: {
      const container = textAt(source, "container");
      const of = type === "ContainerResource" ? ` of container "${container}"` : "";
      const what = `resource ${textAt(source, "name")}${of} on pods`;
      if (target("averageValue") !== "") return `${what}:\t${average}`;
      const used = now("averageUtilization");
      const shown = used === "" ? UNKNOWN : `${used}% (${now("averageValue")})`;
      const wanted = target("averageUtilization");
      return `${what}  (as a percentage of request):\t${shown} / ${wanted === "" ? "<auto>" : `${wanted}%`}`;
    }
  }
}

function writeDirection(lines: Lines, title: string, rules: Json | undefined): void {
  if (rules === undefined) return;
  lines.add(1, `${title}:`);
  const window = textAt(rules, "stabilizationWindowSeconds");
  if (window !== "") lines.add(2, `Stabilization Window: ${window} seconds`);
  const policies = listAt(rules, "policies");
  if (policies.length === 0) return;
  lines.add(2, `Select Policy: ${textAt(rules, "selectPolicy") || "Max"}`);
  lines.add(2, "Policies:");
  for (const one of policies) {
    lines.add(
      3,
      `- Type: ${textAt(one, "type")}\tValue: ${textAt(one, "value")}\tPeriod: ${textAt(one, "periodSeconds")} seconds`,
    );
  }
}
