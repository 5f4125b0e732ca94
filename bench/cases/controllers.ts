import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { join } from "node:path";
import type { JsonObject, KubeObject } from "@boxship/api";
import { silentLogger as logger } from "@boxship/base";
import { type ApiClient, type Collection, Informer, openHttpClient } from "@boxship/client";
import { openSqliteStore, sqlitePath } from "@boxship/store";
import type { Context } from "../context.ts";
import type { Benchmark } from "../harness.ts";
import { type Cluster, residentOf, share, startCluster } from "../kubernetes-cluster.ts";

const collection = (group: string, resource: string, namespace = ""): Collection => ({
  group,
  version: "v1",
  resource,
  namespace,
});
const NODES = collection("", "nodes");
const PODS = collection("", "pods", "default");
const DEPLOYMENTS = collection("apps", "deployments", "default");
const REPLICA_SETS = collection("apps", "replicasets", "default");

const REPLICAS = 5000;
const UPDATED = 1000;
const MOST_PODS = 100_000;
/** With room for 110 pods each. */
const MOST_NODES = 1000;
const PODS_OF_SET = 1000;
/** Pods that are there when some more come. */
const SIZES = [1000, 10_000, 50_000] as const;
/** As many for each size: what is measured is what pods cost, and there is room for more. */
const CURVE_NODES = 500;
const MORE = 200;
const WRITERS = 32;
/** Puts in one transaction. */
const AT_ONCE = 128;

function clientOf({ server, tls }: Cluster): ApiClient {
  const [authority, certificate, key] = [tls.ca, tls.cert, tls.key].map(String) as [string, string, string];
  return openHttpClient({ server, authority, certificate, key });
}

/** Resolves when this is so of what is in a collection. */
async function until(
  client: ApiClient,
  where: Collection,
  labelSelector: string,
  holds: (all: readonly KubeObject[]) => boolean,
  act: () => Promise<unknown>,
): Promise<number> {
  await using informer = new Informer({ client, collection: where, labelSelector, logger });
  informer.start();
  await informer.synced;
  const started = performance.now();
  await act();
  await informer.until(() => holds([...informer.all()]));
  return performance.now() - started;
}

function templateOf(app: string, schedulerName: string): JsonObject {
  const resources = { requests: { cpu: "100m", memory: "128Mi" } };
  return {
    metadata: { labels: { app } },
    // Nodes are silent: on a busy machine they are taken for lost before the pods come.
    spec: {
      schedulerName,
      tolerations: [{ operator: "Exists" }],
      containers: [{ name: "main", image: "web", resources }],
    },
  };
}

/** Pods of it are nobody's to place unless a scheduler is named. */
function deployment(name: string, replicas: number, schedulerName = "nobody"): KubeObject {
  const spec = {
    replicas,
    selector: { matchLabels: { app: name } },
    template: templateOf(name, schedulerName),
  };
  return { apiVersion: "apps/v1", kind: "Deployment", metadata: { name, labels: { sort: "bench" } }, spec };
}

const isUpdated = ({ metadata, status = {} }: KubeObject): boolean => {
  const { observedGeneration, updatedReplicas } = status as { observedGeneration?: number; updatedReplicas?: number };
  return observedGeneration === metadata.generation && updatedReplicas === 1;
};

const largeDeployment: Benchmark<Context> = {
  name: "deployment-5000",
  title: `a Deployment of ${REPLICAS} replicas, until all of its pods are there`,
  unit: "ms",
  rounds: 2,
  warmUp: 1,
  targets: [{ side: "boxship", atMost: 10_000 }],
  async prepare(context, stack) {
    const cluster = stack.use(await startCluster(context.work.join("deployment-5000")));
    const client = stack.use(clientOf(cluster));
    let round = 0;
    const measure = (): Promise<number> => {
      const name = `large-${round++}`;
      const isThere = (pods: readonly KubeObject[]): boolean => pods.length === REPLICAS;
      return until(client, PODS, `app=${name}`, isThere, () => client.create(DEPLOYMENTS, deployment(name, REPLICAS)));
    };
    return [{ name: "boxship", measure }];
  },
};

const manyDeployments: Benchmark<Context> = {
  name: "deployments-1000",
  title: `${UPDATED} Deployments of one replica updated at once, until each has a pod of the new template`,
  unit: "ms",
  rounds: 2,
  warmUp: 0,
  async prepare(context, stack) {
    const cluster = stack.use(await startCluster(context.work.join("deployments-1000")));
    const client = stack.use(clientOf(cluster));
    const areUpdated = (all: readonly KubeObject[]): boolean => all.length === UPDATED && all.every(isUpdated);
    const each = (act: (index: number) => Promise<unknown>): Promise<number> =>
      until(client, DEPLOYMENTS, "sort=bench", areUpdated, () => share(WRITERS, UPDATED, (_, index) => act(index)));
    await each((index) => client.create(DEPLOYMENTS, deployment(`app-${index}`, 1)));
    let round = 0;
    const measure = (): Promise<number> => {
      const template = { metadata: { annotations: { round: String(round++) } } };
      return each((index) => client.patch({ ...DEPLOYMENTS, name: `app-${index}` }, "merge", { spec: { template } }));
    };
    return [{ name: "boxship", measure }];
  },
};

async function addNodes(client: ApiClient, count: number): Promise<void> {
  await share(WRITERS, count, async (_, index) => {
    const name = `node-${index}`;
    const labels = { "kubernetes.io/hostname": name };
    await client.create(NODES, { apiVersion: "v1", kind: "Node", metadata: { name, labels } });
    const now = new Date().toISOString().replace(/\.\d+/, "");
    const condition = { type: "Ready", status: "True", lastHeartbeatTime: now, lastTransitionTime: now };
    const status = { allocatable: { cpu: "32", memory: "64Gi", pods: "110" }, conditions: [condition] };
    await client.patch({ ...NODES, name }, "merge", { status }, { subresource: "status" });
    await client.patch({ ...NODES, name }, "merge", { spec: { taints: null } });
  });
}

/** As a kubelet would write it. */
function running(pod: KubeObject): JsonObject {
  const at = String(pod.metadata.creationTimestamp);
  const conditions = ["PodScheduled", "Initialized", "ContainersReady", "Ready"].map((type) => ({
    type,
    status: "True",
    lastProbeTime: null,
    lastTransitionTime: at,
  }));
  const state = { running: { startedAt: at } };
  const main = { name: "main", image: "web", imageID: "web", ready: true, restartCount: 0, state };
  return { phase: "Running", startTime: at, conditions, containerStatuses: [main], qosClass: "Burstable" };
}

/**
 * A cluster's state with so many pods that run, of replica sets that have what they want. They are put where a server
 * finds them: making each by a call would take minutes.
 */
async function fill(root: string, pods: number, nodes: number): Promise<void> {
  const sets = pods / PODS_OF_SET;
  {
    await using cluster = await startCluster(root);
    await using client = clientOf(cluster);
    await addNodes(client, nodes);
    for (let set = 0; set < sets; set++) {
      const { spec } = deployment(`set-${set}`, 0);
      await client.create(REPLICA_SETS, {
        apiVersion: "apps/v1",
        kind: "ReplicaSet",
        metadata: { name: `set-${set}` },
        spec,
      });
    }
    const set = "set-0";
    const one = { ...REPLICA_SETS, name: set };
    await until(
      client,
      PODS,
      `app=${set}`,
      ({ length }) => length === 1,
      () => client.patch(one, "merge", { spec: { replicas: 1 } }),
    );
  }
  await using store = await openSqliteStore({ path: sqlitePath(join(root, "cluster")) });
  const read = async (prefix: string): Promise<{ readonly key: string; readonly object: KubeObject }[]> => {
    const { items } = await store.range({ start: prefix, end: `${prefix.slice(0, -1)}0` });
    return items.map(({ key, value }) => ({ key, object: JSON.parse(Buffer.from(value).toString()) as KubeObject }));
  };
  const puts: { readonly kind: "put"; readonly key: string; readonly value: Uint8Array }[] = [];
  const put = (key: string, object: object): void =>
    void puts.push({ kind: "put", key, value: Buffer.from(JSON.stringify(object)) });
  const [first] = await read("/registry/core/pods/default/");
  if (first === undefined) throw new Error("there is no pod to copy");
  const uids: string[] = [];
  for (const { key, object } of await read("/registry/apps/replicasets/default/")) {
    uids[Number(object.metadata.name?.split("-")[1])] = object.metadata.uid ?? "";
    const has = { replicas: PODS_OF_SET, readyReplicas: PODS_OF_SET, availableReplicas: PODS_OF_SET };
    const status = { ...has, fullyLabeledReplicas: PODS_OF_SET, observedGeneration: object.metadata.generation };
    put(key, { ...object, spec: { ...(object["spec"] as JsonObject), replicas: PODS_OF_SET }, status });
  }
  for (let index = 0; index < pods; index++) {
    const set = `set-${Math.floor(index / PODS_OF_SET)}`;
    const { metadata, ...rest } = first.object;
    const name = index === 0 ? metadata.name : `${set}-${String(index).padStart(6, "0")}`;
    const owner = { ...metadata.ownerReferences?.[0], name: set, uid: uids[Math.floor(index / PODS_OF_SET)] };
    const { apiVersion, kind } = rest;
    const known = { ...metadata, name, uid: index === 0 ? metadata.uid : randomUUID(), labels: { app: set } };
    const spec = { ...(rest["spec"] as JsonObject), nodeName: `node-${index % nodes}` };
    put(`/registry/core/pods/default/${name}`, {
      apiVersion,
      kind,
      metadata: { ...known, ownerReferences: [owner] },
      spec,
      status: running(first.object),
    });
  }
  for (let at = 0; at < puts.length; at += AT_ONCE) await store.transact({ success: puts.slice(at, at + AT_ONCE) });
}

/** Milliseconds until some more pods have a node. */
async function oneMore(client: ApiClient, name: string): Promise<number> {
  const arePlaced = (pods: readonly KubeObject[]): boolean =>
    pods.length === MORE && pods.every((pod) => (pod["spec"] as JsonObject)["nodeName"] !== undefined);
  return await until(client, PODS, `app=${name}`, arePlaced, () =>
    client.create(DEPLOYMENTS, deployment(name, MORE, "default-scheduler")),
  );
}

async function memoryOfControllers(root: string): Promise<number> {
  await using cluster = await startCluster(root);
  const script = join(import.meta.dirname, "../controllers-process.ts");
  const flags = ["--disable-warning=ExperimentalWarning", script, join(root, "cluster/admin.kubeconfig")];
  const child = spawn(process.execPath, flags, { stdio: ["ignore", "ignore", "inherit", "ipc"] });
  try {
    await once(child, "message");
    return await residentOf(child.pid ?? 0);
  } finally {
    child.kill("SIGKILL");
    await once(child, "exit");
    void cluster;
  }
}

const memory: Benchmark<Context> = {
  name: "pods-100000-memory",
  title: `resident memory with ${MOST_PODS} pods, of the controllers in a process of their own, and of a cluster's process`,
  unit: "MB",
  rounds: 1,
  warmUp: 0,
  targets: [{ side: "controllers", atMost: 1000 }],
  async prepare(context) {
    const root = context.work.join("pods-100000-memory");
    await fill(root, MOST_PODS, MOST_NODES);
    const all = async (): Promise<number> => {
      await using cluster = await startCluster(root);
      await using client = clientOf(cluster);
      // All is known to controllers and scheduler when these have their places.
      await oneMore(client, "more");
      return await residentOf(cluster.pid);
    };
    return [
      { name: "controllers", measure: () => memoryOfControllers(root) },
      { name: "cluster", measure: all },
    ];
  },
};

const curve: Benchmark<Context> = {
  name: "one-more-pod",
  title: `a Deployment of ${MORE} replicas, until all have nodes, beside so many pods that are there`,
  unit: "ms",
  rounds: 1,
  warmUp: 0,
  targets: [{ side: String(SIZES[2]), against: String(SIZES[0]), atMost: 2 }],
  async prepare(context) {
    for (const size of SIZES) await fill(context.work.join(`one-more-${size}`), size, CURVE_NODES);
    return SIZES.map((size) => ({
      name: String(size),
      async measure() {
        await using cluster = await startCluster(context.work.join(`one-more-${size}`));
        await using client = clientOf(cluster);
        await oneMore(client, `warm-${randomUUID().slice(0, 8)}`);
        const times: number[] = [];
        for (let round = 0; round < 3; round++) times.push(await oneMore(client, `more-${randomUUID().slice(0, 8)}`));
        return times.toSorted((left, right) => left - right)[1] ?? 0;
      },
    }));
  },
};

export const controllerBenchmarks: readonly Benchmark<Context>[] = [largeDeployment, manyDeployments, memory, curve];
