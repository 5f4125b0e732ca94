import type { JsonObject, KubeObject } from "@boxship/api";
import { DEMAND } from "./metrics.ts";
import { randomOf } from "./random.ts";
import { type Load, nodeOf } from "./scenario.ts";

const MINUTE_MS = 60_000;
const RESOURCES = { requests: { cpu: "100m", memory: "64Mi" } };

const template = (app: string, annotations: Record<string, string> = {}, spec: JsonObject = {}): JsonObject => ({
  metadata: { labels: { app }, annotations },
  spec: { containers: [{ name: "main", image: "main", resources: RESOURCES }], ...spec },
});

function workload(
  kind: string,
  name: string,
  spec: JsonObject,
  pods = template(name),
  namespace = "default",
): KubeObject {
  const selector = { matchLabels: { app: name } };
  return { apiVersion: "apps/v1", kind, metadata: { name, namespace }, spec: { ...spec, selector, template: pods } };
}

const object = (apiVersion: string, kind: string, name: string, rest: object, namespace = "default"): KubeObject => ({
  apiVersion,
  kind,
  metadata: { name, namespace },
  ...rest,
});

/**
 * A pod or two of what controllers make, on few nodes, with edits on the way: what a seed tries with faults.
 *
 * @param part how much there is besides a Deployment with a budget, from 0 to 1
 */
export function variedLoad(seed: number, nodes: number, part = 1): Load[] {
  const random = randomOf(seed ^ 0x10ad);
  const pick = (least: number, most: number): number => least + Math.floor(random() * (most - least + 1));
  const web = pick(3, 4);
  const app = { matchLabels: { app: "web" } };
  const budget = { spec: { minAvailable: web - 1, selector: app } };
  const service = { spec: { selector: { app: "web" }, ports: [{ port: 80 }] } };
  const job = {
    spec: { completions: pick(2, 4), parallelism: 2, template: template("job", {}, { restartPolicy: "Never" }) },
  };
  const cron = {
    spec: {
      schedule: "*/10 * * * *",
      successfulJobsHistoryLimit: 1,
      jobTemplate: { spec: { template: template("cron", {}, { restartPolicy: "Never" }) } },
    },
  };
  const scaled = {
    spec: {
      scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: "scaled" },
      minReplicas: 1,
      maxReplicas: 4,
      metrics: [
        { type: "Resource", resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 50 } } },
      ],
    },
  };
  const edit = { spec: { template: { metadata: { annotations: { edited: "yes" } } } } };
  const later = (): number => pick(6, 18) * MINUTE_MS;
  const small: KubeObject = { apiVersion: "v1", kind: "Namespace", metadata: { name: "small" } };
  const quota = object("v1", "ResourceQuota", "pods", { spec: { hard: { pods: "2" } } }, "small");
  const at = 1000;
  const groups: readonly (readonly Load[])[] = [
    [
      {
        object: workload("StatefulSet", "db", { replicas: pick(1, 3), serviceName: "db" }),
        at,
        edits: [{ at: later(), patch: { spec: { replicas: pick(1, 3) } } }],
      },
    ],
    [{ object: workload("DaemonSet", "agent", {}), at }],
    [{ object: object("batch/v1", "CronJob", "cron", cron), at }],
    [{ object: object("batch/v1", "Job", "job", job), at: pick(1, 10) * MINUTE_MS }],
    [
      {
        object: workload(
          "Deployment",
          "scaled",
          { replicas: 1 },
          template("scaled", { [DEMAND]: `0.05,${pick(2, 10)}m:0.15` }),
        ),
        at,
      },
      { object: object("autoscaling/v2", "HorizontalPodAutoscaler", "scaled", scaled), at },
    ],
    [
      { object: small, at: 500 },
      { object: quota, at: 600 },
      { object: workload("Deployment", "greedy", { replicas: 3 }, template("greedy"), "small"), at: 2000 },
    ],
    [{ object: workload("ReplicaSet", "gone", { replicas: 2 }), at, until: later() }],
  ];
  return [
    ...Array.from({ length: nodes }, (_, index) => ({ object: nodeOf(index), at: 0 })),
    { object: workload("Deployment", "web", { replicas: web }), at, edits: [{ at: later(), patch: edit }] },
    { object: object("policy/v1", "PodDisruptionBudget", "web", budget), at },
    { object: object("v1", "Service", "web", service), at },
    ...groups.filter(() => random() < part).flat(),
  ];
}
