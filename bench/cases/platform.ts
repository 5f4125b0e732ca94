import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { connectCri, NamespaceMode } from "@boxship/cri";
import { kubernetesProgram, runProgram } from "@boxship/testkit";
import { type Context, commandLine } from "../context.ts";
import type { Benchmark, Side } from "../harness.ts";
import { knownBy, processorTimeOf, residentOf } from "../kubernetes-cluster.ts";
import {
  administrator,
  createPods,
  namesOf,
  nodeReady,
  removePods,
  startEngine,
  startNode,
} from "../kubernetes-pods.ts";
import { engineProcesses } from "../processes.ts";

const SLEEP = ["sleep", "100000"];
const IDLE_PODS = 20;
/** Until what starting took has been given back. */
const SETTLE = 20_000;
const WATCHED = 20_000;

async function must(command: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await runProgram(command);
  if (status !== 0) throw new Error(`${command.join(" ")}: ${stderr}`);
  return stdout;
}

/** `boxship up` on an engine that is there, as a user types it: with nothing of a cluster before, and after `down`. */
function up(name: string, title: string, kind: "cold" | "warm", atMost: number): Benchmark<Context> {
  return {
    name,
    title,
    unit: "ms",
    rounds: 5,
    warmUp: 1,
    targets: [
      { side: "node is ready", atMost },
      { side: "first pod runs after", atMost: 500 },
    ],
    async prepare(_context, stack) {
      const engine = await startEngine(stack);
      const kubeconfig = join(engine.root, "admin.kubeconfig");
      const boxship = (...words: readonly string[]) =>
        must([...commandLine(), "--name", engine.name, "--root", engine.root, ...words]);
      stack.defer(async () => void (await boxship("down")));
      let firstPod = 0;
      const ready: Side = {
        name: "node is ready",
        async before() {
          await boxship("down");
          if (kind === "cold") await rm(join(engine.root, "cluster"), { recursive: true, force: true });
        },
        async measure() {
          const began = performance.now();
          await boxship("up", "--port", "0", "--kubeconfig", kubeconfig);
          await using client = administrator(await knownBy(kubeconfig));
          await nodeReady(client);
          const taken = performance.now() - began;
          firstPod = await createPods(client, namesOf(1));
          await removePods(client, namesOf(1));
          return taken;
        },
      };
      return [ready, { name: "first pod runs after", measure: () => Promise.resolve(firstPod) }];
    },
  };
}

const options = { network: NamespaceMode.Pod, pid: NamespaceMode.Container, ipc: NamespaceMode.Pod };
const linux = (cgroupParent: string) => ({ cgroupParent, securityContext: { namespaceOptions: options } });

const cri: Benchmark<Context> = {
  name: "cri/start",
  title: "by the CRI: sandbox, container and start together",
  unit: "ms",
  targets: [{ side: "boxship", atMost: 60 }],
  async prepare(_context, stack) {
    const engine = await startEngine(stack);
    const client = stack.use(connectCri(`${engine.runDir}/cri.sock`));
    let counter = 0;
    let last = "";
    const remove = async (): Promise<void> => {
      if (last !== "") await client.removePodSandbox({ podSandboxId: last });
    };
    const measure = async (): Promise<number> => {
      const metadata = { name: `pod-${++counter}`, uid: `uid-${counter}`, namespace: "default", attempt: 0 };
      const logDirectory = join(engine.root, "logs", metadata.name);
      const pod = { metadata, hostname: metadata.name, logDirectory, linux: linux(`/${engine.name}/pods`) };
      const began = performance.now();
      const { podSandboxId } = await client.runPodSandbox({ config: pod });
      const config = {
        metadata: { name: "main", attempt: 0 },
        image: { image: "busybox:latest" },
        command: SLEEP,
        logPath: "main.log",
        linux: { securityContext: { namespaceOptions: options } },
      };
      const { containerId } = await client.createContainer({ podSandboxId, config, sandboxConfig: pod });
      await client.startContainer({ containerId });
      const taken = performance.now() - began;
      last = podSandboxId;
      return taken;
    };
    return [{ name: "boxship", before: remove, measure }];
  },
};

const exec: Benchmark<Context> = {
  name: "pod/exec",
  title: "exec of true in one container, each with the start of its client",
  unit: "ms",
  targets: [{ side: "kubectl beyond boxship", atMost: 20 }],
  async prepare(_context, stack) {
    const program = kubernetesProgram("kubectl");
    if (program === undefined || !existsSync(program)) throw new Error("no kubectl: run scripts/setup.sh test");
    const { client, engine, cluster } = await startNode(stack);
    await createPods(client, namesOf(1), SLEEP);
    const all = await engine.client.json<readonly { readonly Id: string }[]>("GET", "/containers/json");
    const timed = async (command: readonly string[]): Promise<number> => {
      const began = performance.now();
      await must(command);
      return performance.now() - began;
    };
    let [byKubectl, byBoxship] = [0, 0];
    const kubectl = [program, "--kubeconfig", cluster.kubeconfig, "exec", "pod-0", "--", "true"];
    const socket = `unix://${engine.socketPath}`;
    const boxship = [...commandLine(), "--host", socket, "exec", all[0]?.Id ?? "", "true"];
    return [
      { name: "kubectl", measure: async () => (byKubectl = await timed(kubectl)) },
      { name: "boxship", measure: async () => (byBoxship = await timed(boxship)) },
      { name: "kubectl beyond boxship", measure: () => Promise.resolve(byKubectl - byBoxship) },
    ];
  },
};

const idle: Benchmark<Context> = {
  name: "platform-idle",
  title: `resident memory of engine and cluster with ${IDLE_PODS} idle pods, without these and their monitors`,
  unit: "MB",
  rounds: 1,
  warmUp: 0,
  targets: [{ side: "altogether", atMost: 200 }],
  async prepare(_context, stack) {
    const { engine, cluster } = await idlePlatform(stack);
    const ours = async () => (await Promise.all((await engineOnly(engine)).map(residentOf))).reduce((a, b) => a + b, 0);
    return [
      { name: "altogether", measure: async () => (await ours()) + (await residentOf(cluster.pid)) },
      { name: "engine", measure: ours },
      { name: "cluster", measure: () => residentOf(cluster.pid) },
    ];
  },
};

const idleProcessor: Benchmark<Context> = {
  name: "platform-idle-cpu",
  title: `processor time of engine, cluster and monitors with ${IDLE_PODS} idle pods`,
  unit: "% of a core",
  rounds: 1,
  warmUp: 0,
  targets: [{ side: "altogether", atMost: 1 }],
  async prepare(_context, stack) {
    const { engine, cluster } = await idlePlatform(stack);
    const used = async () => {
      const own = await engineProcesses(of(engine));
      const engineMilliseconds = own.reduce((sum, { cpu }) => sum + cpu, 0) * 1000;
      return { engine: engineMilliseconds, cluster: await processorTimeOf(cluster.pid) };
    };
    let parts = { engine: 0, cluster: 0 };
    const watch = async (): Promise<number> => {
      const [began, before] = [performance.now(), await used()];
      await delay(WATCHED);
      const [after, elapsed] = [await used(), performance.now() - began];
      const part = (now: number, then: number) => (100 * (now - then)) / elapsed;
      parts = { engine: part(after.engine, before.engine), cluster: part(after.cluster, before.cluster) };
      return parts.engine + parts.cluster;
    };
    return [
      { name: "altogether", measure: watch },
      { name: "engine and monitors", measure: () => Promise.resolve(parts.engine) },
      { name: "cluster", measure: () => Promise.resolve(parts.cluster) },
    ];
  },
};

async function idlePlatform(stack: AsyncDisposableStack) {
  const node = await startNode(stack);
  await createPods(node.client, namesOf(IDLE_PODS), SLEEP);
  await delay(SETTLE);
  return node;
}

const of = ({ pid, name }: { readonly pid: number; readonly name: string }) => ({
  pid,
  monitor: "conmon",
  marker: name,
});

/** Processes of an engine that are no monitors. */
async function engineOnly(engine: { readonly name: string; readonly pid: number }): Promise<number[]> {
  const all = await engineProcesses(of(engine));
  return all.filter(({ name }) => name !== "conmon").map(({ pid }) => pid);
}

export const platformBenchmarks: readonly Benchmark<Context>[] = [
  up("up/cold", "boxship up on a running engine, nothing of a cluster before", "cold", 1500),
  up("up/warm", "boxship up after boxship down", "warm", 800),
  cri,
  exec,
  idle,
  idleProcessor,
];
