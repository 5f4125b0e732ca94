import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "../object/json.ts";
import { WORKLOAD_COLUMNS } from "./workload-columns.ts";

const column = WORKLOAD_COLUMNS["horizontalpodautoscalers.autoscaling"]?.find(({ name }) => name === "Targets");

function targets(metrics: JsonObject[], currentMetrics: JsonObject[] = []): unknown {
  const head = { apiVersion: "autoscaling/v2", kind: "HorizontalPodAutoscaler", metadata: {} };
  return column?.cell({ ...head, spec: { metrics }, status: { currentMetrics } }, 0);
}

test("targets of an autoscaler are shown by what sort of metric they are", () => {
  const cpu = { type: "Resource", resource: { name: "cpu", target: { averageUtilization: 60 } } };
  const pods = { type: "Pods", pods: { metric: { name: "requests" }, target: { averageValue: "10" } } };
  const external = { type: "External", external: { metric: { name: "queue" }, target: { averageValue: "5" } } };
  const other = { type: "Object", object: { metric: { name: "rate" }, target: { value: "2k" } } };
  const memory = { type: "ContainerResource", containerResource: { name: "memory", target: { averageValue: "1Gi" } } };
  assert.equal(targets([]), "<none>");
  assert.equal(targets([cpu]), "cpu: <unknown>/60%");
  assert.equal(
    targets(
      [cpu, pods],
      [
        { type: "Resource", resource: { name: "cpu", current: { averageUtilization: 12, averageValue: "1m" } } },
        { type: "Pods", pods: { current: { averageValue: "7" } } },
      ],
    ),
    "cpu: 12%/60%, 7/10",
  );
  assert.equal(targets([external, other]), "<unknown>/5 (avg), <unknown>/2k");
  assert.equal(targets([memory, cpu, pods]), "memory: <unknown>/1Gi, cpu: <unknown>/60% + 1 more...");
});
