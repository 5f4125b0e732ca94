import type { JsonObject, KubeObject } from "@boxship/api";
import { silentLogger as logger } from "@boxship/base";
import { type ApiClient, Informer, openHttpClient } from "@boxship/client";
import { defaultProfile, Scheduler } from "@boxship/scheduler";
import type { Context } from "../context.ts";
import type { Benchmark } from "../harness.ts";
import { share, startCluster } from "../kubernetes-cluster.ts";

const NODES = { group: "", version: "v1", resource: "nodes" } as const;
const PODS = { group: "", version: "v1", resource: "pods", namespace: "default" } as const;
const NODE_COUNT = 5000;
const POD_COUNT = 2000;
const APPS = 100;
const WRITERS = 32;
const ZONE = "topology.kubernetes.io/zone";

async function addNode(client: ApiClient, index: number): Promise<void> {
  const name = `node-${index}`;
  const labels = { "kubernetes.io/hostname": name, [ZONE]: `zone-${index % 3}` };
  await client.create(NODES, { apiVersion: "v1", kind: "Node", metadata: { name, labels } });
  await client.patch({ ...NODES, name }, "merge", { spec: { taints: null } });
  const now = new Date().toISOString().replace(/\.\d+/, "");
  const condition = { type: "Ready", status: "True", lastHeartbeatTime: now, lastTransitionTime: now };
  const status = { allocatable: { cpu: "32", memory: "64Gi", pods: "110" }, conditions: [condition] };
  await client.patch({ ...NODES, name }, "merge", { status }, { subresource: "status" });
}

/** Of every four pods one is spread over zones and one wants a host for itself among its like. */
function wishes(index: number, app: string): JsonObject {
  const labelSelector = { matchLabels: { app } };
  if (index % 4 === 1) {
    const spread = { maxSkew: 1, topologyKey: ZONE, whenUnsatisfiable: "DoNotSchedule", labelSelector };
    return { topologySpreadConstraints: [spread] };
  }
  if (index % 4 !== 3) return {};
  const term = { labelSelector, topologyKey: "kubernetes.io/hostname" };
  return { affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term] } } };
}

function podOf(index: number, schedulerName: string, hasWishes: boolean): KubeObject {
  const app = `app-${index % APPS}`;
  const resources = { requests: { cpu: "100m", memory: "128Mi" } };
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: `${schedulerName}-${index}`, labels: { app, round: schedulerName } },
    spec: {
      schedulerName,
      containers: [{ name: "main", image: "web", resources }],
      ...(hasWishes ? wishes(index, app) : {}),
    },
  };
}

/** Resolves when all pods of a round have a node. */
async function allPlaced(client: ApiClient, round: string): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const placed = new Set<string>();
  const look = ({ metadata, spec }: KubeObject): void => {
    if ((spec as JsonObject)["nodeName"] !== undefined) placed.add(metadata.name ?? "");
    if (placed.size === POD_COUNT) resolve();
  };
  await using informer = new Informer({ client, collection: PODS, labelSelector: `round=${round}`, logger });
  using _watch = informer.handle({ added: look, updated: look });
  informer.start();
  await promise;
}

const kinds = [
  { name: "schedule", title: "", hasWishes: false, atMost: 1000 },
  {
    name: "schedule-wishes",
    title: ", half of them with spread constraints or affinity",
    hasWishes: true,
    atMost: 2000,
  },
] as const;

export const schedulerBenchmarks: readonly Benchmark<Context>[] = kinds.map(({ name, title, hasWishes, atMost }) => ({
  name,
  title: `${POD_COUNT} pods bound to ${NODE_COUNT} nodes by a scheduler in a process of its own${title}`,
  unit: "ms",
  rounds: 3,
  warmUp: 1,
  targets: [{ side: "boxship", atMost }],
  async prepare(context, stack) {
    const cluster = stack.use(await startCluster(context.work.join(name)));
    const { ca, cert, key } = cluster.tls;
    const [authority, certificate, secret] = [ca, cert, key].map(String) as [string, string, string];
    const client = stack.use(openHttpClient({ server: cluster.server, authority, certificate, key: secret }));
    await share(WRITERS, NODE_COUNT, (_, index) => addNode(client, index));
    let round = "";
    let rounds = 0;
    const before = async (): Promise<void> => {
      round = `round-${rounds++}`;
      await share(WRITERS, POD_COUNT, (_, index) => client.create(PODS, podOf(index, round, hasWishes)));
    };
    const measure = async (): Promise<number> => {
      const profiles = [{ ...defaultProfile, schedulerName: round }];
      const placed = allPlaced(client, round);
      await using scheduler = new Scheduler({ client, logger, profiles });
      await scheduler.ready;
      const started = performance.now();
      await placed;
      return performance.now() - started;
    };
    return [{ name: "boxship", before, measure }];
  },
}));
