import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { valueAt } from "@boxship/api";
import { type ApiClient, loadKubeconfig, openHttpClient } from "@boxship/client";
import { clusterProgram, tempDir } from "@boxship/testkit";

const DEPLOYMENTS = { group: "apps", version: "v1", resource: "deployments", namespace: "default" };
const PODS = { group: "", version: "v1", resource: "pods", namespace: "default" };

async function start(root: string): Promise<{ readonly child: ChildProcess; readonly client: ApiClient }> {
  const [file, ...args] = clusterProgram();
  const flags = ["--name", "ctrl", "--root", root, "--run-dir", `${root}/run`, "--port", "0"];
  const child = spawn(file, [...args, ...flags], { stdio: ["ignore", "ignore", "inherit", "ipc"] });
  const [ready] = (await once(child, "message")) as [{ readonly failed?: string; readonly kubeconfig: string }];
  assert.equal(ready.failed, undefined);
  return { child, client: openHttpClient((await loadKubeconfig(ready.kubeconfig)).connection) };
}

/** Waits until a Deployment has made so many pods, and says so. */
async function replicas(client: ApiClient, many: number): Promise<void> {
  for await (const event of client.watch(DEPLOYMENTS)) {
    if (event.type !== "BOOKMARK" && Number(valueAt(event.object, "status", "replicas")) === many) break;
  }
  assert.equal((await client.list(PODS)).items.length, many);
}

const NODES = { group: "", version: "v1", resource: "nodes" };

/** A node that is ready for four pods. */
async function addNode(client: ApiClient, name: string): Promise<void> {
  const node = { apiVersion: "v1", kind: "Node", metadata: { name } };
  const made = await client.create(NODES, node);
  await client.patch({ ...NODES, name }, "merge", { spec: { taints: null } });
  const status = { allocatable: { cpu: "4", memory: "4Gi", pods: "4" } };
  await client.patch({ ...NODES, name }, "merge", { status }, { subresource: "status" });
  assert.equal(made.metadata.name, name);
}

/** Waits until so many pods have a node. */
async function placed(client: ApiClient, many: number): Promise<void> {
  const names = new Set<string>();
  for await (const event of client.watch(PODS)) {
    if (event.type === "BOOKMARK") continue;
    if (valueAt(event.object, "spec", "nodeName") !== undefined) names.add(event.object.metadata.name ?? "");
    if (names.size === many) break;
  }
}

test("a cluster runs controllers and the scheduler, and what a killed one left is gone on with", async () => {
  await using directory = tempDir();
  let running = await start(directory.path);
  try {
    await running.client.create(DEPLOYMENTS, {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: "web" },
      spec: {
        replicas: 3,
        selector: { matchLabels: { app: "web" } },
        template: { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "c", image: "web:1" }] } },
      },
    });
    await replicas(running.client, 3);
    await running.client.patch({ ...DEPLOYMENTS, name: "web" }, "merge", { spec: { replicas: 5 } });
    running.child.kill("SIGKILL");
    await once(running.child, "exit");
    await running.client[Symbol.asyncDispose]();
    running = await start(directory.path);
    await replicas(running.client, 5);
    await addNode(running.client, "one");
    await placed(running.client, 4);
    await addNode(running.client, "two");
    await placed(running.client, 5);
  } finally {
    await running.client[Symbol.asyncDispose]();
    running.child.kill("SIGTERM");
  }
  assert.deepEqual(await once(running.child, "exit"), [0, null]);
});
