import { type KubeObject, textAt } from "@boxship/api";
import { type ApiClient, openHttpClient } from "@boxship/client";
import { type Boxship, startBoxship } from "@boxship/testkit";
import { engineProgram } from "./context.ts";
import { type Cluster, startCluster } from "./kubernetes-cluster.ts";

const PODS = { group: "", version: "v1", resource: "pods", namespace: "default" } as const;
const NODES = { group: "", version: "v1", resource: "nodes" } as const;
/** It ends at once when it is told to, and is idle otherwise: a shell that looks every 10 ms takes a thirtieth of a core. */
const SCRIPT = "trap 'exit 0' TERM; sleep 100000 & wait";

/** A cluster with a node on an engine of its own, and its administrator. */
export interface Node {
  readonly client: ApiClient;
  readonly engine: Boxship;
  readonly cluster: Cluster;
}

/** An engine of the built bundle that has the image `busybox:latest`. */
export async function startEngine(stack: AsyncDisposableStack): Promise<Boxship> {
  const engine = stack.use(await startBoxship({ program: engineProgram() }));
  await engine.client.call("POST", "/boxship/images/bootstrap?kind=busybox");
  return engine;
}

/** @param more flags of `boxship up` */
export async function startNode(stack: AsyncDisposableStack, more: readonly string[] = []): Promise<Node> {
  const engine = await startEngine(stack);
  const flags = ["--name", engine.name, "--container-runtime-endpoint", `${engine.runDir}/cri.sock`];
  const cluster = stack.use(await startCluster(engine.root, [...flags, ...more]));
  return { client: stack.use(administrator(cluster)), engine, cluster };
}

/** Who the administrator's kubeconfig names. */
export function administrator({ server, tls }: Pick<Cluster, "server" | "tls">): ApiClient & AsyncDisposable {
  const [authority = "", certificate = "", key = ""] = [tls.ca, tls.cert, tls.key].map(String);
  return openHttpClient({ server, authority, certificate, key });
}

/** Resolves when the cluster has a node that is ready. */
export async function nodeReady(client: ApiClient): Promise<void> {
  for await (const event of client.watch(NODES)) {
    if (event.type !== "BOOKMARK" && isReady(event.object)) return;
  }
}

function isReady({ status }: KubeObject): boolean {
  const { conditions = [] } = (status ?? {}) as { conditions?: readonly { type: string; status: string }[] };
  return conditions.some((one) => one.type === "Ready" && one.status === "True");
}

export const namesOf = (count: number): readonly string[] =>
  Array.from({ length: count }, (_, index) => `pod-${index}`);

function podOf(name: string, command: readonly string[]) {
  const container = { name: "main", image: "busybox:latest", imagePullPolicy: "Never", command: [...command] };
  return { apiVersion: "v1", kind: "Pod", metadata: { name }, spec: { containers: [container] } };
}

/** Resolves when all pods of these names are in the phase, or are gone. */
async function reached(client: ApiClient, names: readonly string[], phase: string | undefined): Promise<void> {
  const waiting = new Set(names);
  for await (const event of client.watch(PODS)) {
    if (event.type === "BOOKMARK") continue;
    const { metadata } = event.object;
    const fits = phase === undefined ? event.type === "DELETED" : textAt(event.object, "status", "phase") === phase;
    if (fits) waiting.delete(metadata.name ?? "");
    if (waiting.size === 0) return;
  }
}

/** @returns milliseconds until all of them run */
export async function createPods(
  client: ApiClient,
  names: readonly string[],
  command: readonly string[] = ["sh", "-c", SCRIPT],
): Promise<number> {
  const began = performance.now();
  const running = reached(client, names, "Running");
  await Promise.all(names.map((name) => client.create(PODS, podOf(name, command))));
  await running;
  return performance.now() - began;
}

/** @returns milliseconds until all of them are gone */
export async function removePods(client: ApiClient, names: readonly string[]): Promise<number> {
  const began = performance.now();
  const gone = reached(client, names, undefined);
  await Promise.all(names.map((name) => client.delete({ ...PODS, name })));
  await gone;
  return performance.now() - began;
}
