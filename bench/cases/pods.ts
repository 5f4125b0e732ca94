import { textAt } from "@boxship/api";
import { type ApiClient, openHttpClient } from "@boxship/client";
import { startBoxship } from "@boxship/testkit";
import { type Context, engineProgram } from "../context.ts";
import type { Benchmark } from "../harness.ts";
import { startCluster } from "../kubernetes-cluster.ts";

const PODS = { group: "", version: "v1", resource: "pods", namespace: "default" } as const;
const SCRIPT = "trap 'exit 0' TERM; while :; do sleep 0.01; done";

function podOf(name: string) {
  const container = { name: "main", image: "busybox:latest", imagePullPolicy: "Never", command: ["sh", "-c", SCRIPT] };
  return { apiVersion: "v1", kind: "Pod", metadata: { name }, spec: { containers: [container] } };
}

/** A cluster with a node on an engine of its own, and its administrator. */
async function startNode(stack: AsyncDisposableStack): Promise<ApiClient> {
  const engine = stack.use(await startBoxship({ program: engineProgram() }));
  await engine.client.call("POST", "/boxship/images/bootstrap?kind=busybox");
  const node = ["--name", engine.name, "--container-runtime-endpoint", `${engine.runDir}/cri.sock`];
  const cluster = stack.use(await startCluster(engine.root, node));
  const { ca, cert, key } = cluster.tls;
  const { server } = cluster;
  const [authority, certificate, ours] = [ca, cert, key].map(String);
  return stack.use(
    openHttpClient({ server, authority: authority ?? "", certificate: certificate ?? "", key: ours ?? "" }),
  );
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

async function create(client: ApiClient, names: readonly string[]): Promise<number> {
  const began = performance.now();
  const running = reached(client, names, "Running");
  await Promise.all(names.map((name) => client.create(PODS, podOf(name))));
  await running;
  return performance.now() - began;
}

async function remove(client: ApiClient, names: readonly string[]): Promise<number> {
  const began = performance.now();
  const gone = reached(client, names, undefined);
  await Promise.all(names.map((name) => client.delete({ ...PODS, name })));
  await gone;
  return performance.now() - began;
}

const namesOf = (count: number): readonly string[] => Array.from({ length: count }, (_, index) => `pod-${index}`);

/** Pods on a node with the image present, beside what upstream takes on the same kind of machine (540 ms, 6.7 s, 0.9 s). */
function starting(name: string, title: string, count: number, atMost: number): Benchmark<Context> {
  return {
    name,
    title,
    unit: "ms",
    rounds: count > 1 ? 3 : 15,
    warmUp: 1,
    targets: [{ side: "boxship", atMost }],
    async prepare(_context, stack) {
      const client = await startNode(stack);
      let present: readonly string[] = [];
      return [
        {
          name: "boxship",
          before: async () => {
            if (present.length > 0) await remove(client, present);
          },
          measure: async () => {
            present = namesOf(count);
            return await create(client, present);
          },
        },
      ];
    },
  };
}

export const podBenchmarks: readonly Benchmark<Context>[] = [
  starting("pod/start", "one pod, image present: create to Running", 1, 150),
  starting("pod/start-30", "30 pods at once: create to all Running", 30, 1500),
  {
    name: "pod/delete",
    title: "one pod that handles SIGTERM: delete to gone",
    unit: "ms",
    warmUp: 1,
    targets: [{ side: "boxship", atMost: 200 }],
    async prepare(_context, stack) {
      const client = await startNode(stack);
      const names = namesOf(1);
      return [
        {
          name: "boxship",
          before: async () => void (await create(client, names)),
          measure: () => remove(client, names),
        },
      ];
    },
  },
];
