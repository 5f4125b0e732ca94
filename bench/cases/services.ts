import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { textAt } from "@boxship/api";
import type { ApiClient } from "@boxship/client";
import { runProgram } from "@boxship/testkit";
import type { Context } from "../context.ts";
import type { Benchmark, Side } from "../harness.ts";
import { share } from "../kubernetes-cluster.ts";
import { createPods, type Node, startNode } from "../kubernetes-pods.ts";
import type { Latency } from "../network-latency.ts";

const PODS = { group: "", version: "v1", resource: "pods", namespace: "default" } as const;
const SERVICES = { group: "", version: "v1", resource: "services", namespace: "default" } as const;
const SLICES = { group: "discovery.k8s.io", version: "v1", resource: "endpointslices", namespace: "default" } as const;
const BYTES = 2 ** 30;
const CONNECTIONS = 1000;
const ROUND_TRIPS = 5000;
/** At least 95 % of the bridge's throughput, and no more than that of its time. */
const BESIDE_BRIDGE = 1 / 0.95;
const QUESTIONS = 25_000;
const PORT = 8080;
/** Of its own: a client that has spoken to the service by some port of its own may not use that one with the same server for a minute. */
const SERVICE_PORT = 8081;
/** Names of namespaces and links that are the benchmark's. */
const PLAIN = { bridge: "bench-br", server: "bench-server", client: "bench-client" } as const;

async function must(...command: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await runProgram(command);
  if (status !== 0) throw new Error(`${command.join(" ")}: ${stderr}`);
  return stdout.trim();
}

/** Ends a program with the stack. */
function owned(stack: AsyncDisposableStack, child: ChildProcess): ChildProcess {
  stack.defer(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGKILL");
    await once(child, "exit");
  });
  return child;
}

/** Two namespaces on a bridge, by nothing but the kernel: what `enter` enters, and the server's address. */
async function plainBridge(stack: AsyncDisposableStack) {
  const { bridge } = PLAIN;
  await must("ip", "link", "add", bridge, "type", "bridge");
  stack.defer(async () => void (await must("ip", "link", "delete", bridge)));
  await must("ip", "link", "set", bridge, "up");
  for (const [index, name] of [PLAIN.server, PLAIN.client].entries()) {
    await must("ip", "netns", "add", name);
    stack.defer(async () => void (await must("ip", "netns", "delete", name)));
    await must("ip", "link", "add", `bench-v${index}`, "type", "veth", "peer", "name", "eth0", "netns", name);
    await must("ip", "link", "set", `bench-v${index}`, "master", bridge, "up");
    await must("ip", "-n", name, "address", "add", `198.18.7.${index + 1}/24`, "dev", "eth0");
    await must("ip", "-n", name, "link", "set", "eth0", "up");
  }
  const enter = (name: string) => ["ip", "netns", "exec", name];
  return { server: enter(PLAIN.server), client: enter(PLAIN.client), address: "198.18.7.1" };
}

/** Two pods, and how their namespaces are entered. */
async function startPods({ client, engine }: Node) {
  await createPods(client, ["server", "client"], ["sleep", "100000"]);
  const all = await engine.client.json<{ Id: string; Labels: Record<string, string> }[]>("GET", "/containers/json");
  const enter = async (name: string): Promise<readonly string[]> => {
    const id = all.find(({ Labels }) => Labels["io.kubernetes.pod.name"] === name)?.Id;
    const { State } = await engine.client.json<{ State: { Pid: number } }>("GET", `/containers/${id}/json`);
    return ["nsenter", `--net=/proc/${State.Pid}/ns/net`];
  };
  const pod = await client.get({ ...PODS, name: "server" });
  return {
    server: await enter("server"),
    client: await enter("client"),
    address: textAt(pod, "status", "podIP"),
  };
}

/** Resolves when a server answers. @param words a client */
async function awaitServer(enter: readonly string[], words: readonly string[]): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    const { status, stderr } = await runProgram([...enter, process.execPath, ...words]);
    if (status === 0) return;
    if (attempt === 50) throw new Error(stderr);
  }
}

interface Way {
  readonly name: string;
  readonly client: readonly string[];
  readonly address: string;
  /** @default PORT */
  readonly port?: number;
}

/** The slice of a service at addresses where nobody is, or somebody. */
function sliceOf(name: string, addresses: readonly string[], port: number) {
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name, labels: { "kubernetes.io/service-name": name } },
    addressType: "IPv4",
    endpoints: addresses.map((address) => ({ addresses: [address], conditions: { ready: true } })),
    ports: [{ name: "", port, protocol: "TCP" }],
  };
}

/** A service whose endpoints are there or not. @returns its address */
async function createService(client: ApiClient, name: string, addresses: readonly string[], port: number) {
  const metadata = { name };
  const spec = { ports: [{ port: 80 }] };
  const service = await client.create(SERVICES, { apiVersion: "v1", kind: "Service", metadata, spec });
  await client.create(SLICES, sliceOf(name, addresses, port));
  return textAt(service, "spec", "clusterIP");
}

interface Traffic extends Pick<Benchmark<Context>, "name" | "title" | "unit"> {
  /** What the server sends to each connection; 0 for what it is sent. */
  readonly bytes: number;
  /** What is run in the client's namespace. */
  readonly words: (address: string, port: number) => readonly string[];
}

const program = (name: string): string => join(import.meta.dirname, `../${name}.ts`);

/** The median of so many, see `network-latency.ts`. */
const latency = (what: Latency, times: number): Traffic["words"] => {
  return (address, port) => [program("network-latency"), what, address, String(port), String(times)];
};

/**
 * From pod to pod, and to a service, beside namespaces on a bridge that nobody has rules for. Where br_netfilter is loaded frames of that
 * bridge pass the same tables as those of pods; where it is not, neither do.
 */
function traffic({ bytes, words: wordsOf, ...named }: Traffic): Benchmark<Context> {
  return {
    ...named,
    rounds: 7,
    warmUp: 1,
    targets: ["pod", "service"].map((side) => ({ side, against: "bridge", atMost: BESIDE_BRIDGE })),
    async prepare(_context, stack) {
      const node = await startNode(stack);
      const [bridge, pods] = [await plainBridge(stack), await startPods(node)];
      const servers = [
        { server: bridge.server, port: PORT },
        { server: pods.server, port: PORT },
        { server: pods.server, port: SERVICE_PORT },
      ];
      for (const { server, port } of servers) {
        const [file, ...words] = [...server, process.execPath, program("network-server"), String(port), String(bytes)];
        const child = owned(stack, spawn(file, words, { stdio: ["ignore", "pipe", "inherit"] }));
        if (child.stdout !== null) await once(child.stdout, "data");
      }
      const service = await createService(node.client, "bench", [pods.address], SERVICE_PORT);
      const ways: readonly Way[] = [
        { name: "bridge", client: bridge.client, address: bridge.address },
        { name: "pod", client: pods.client, address: pods.address },
        { name: "service", client: pods.client, address: service, port: 80 },
      ];
      const sides: Side[] = [];
      for (const { name: side, client: enter, address, port = PORT } of ways) {
        await awaitServer(enter, latency(bytes === 0 ? "round-trips" : "connections", 1)(address, port));
        const words = wordsOf(address, port);
        sides.push({ name: side, measure: async () => Number(await must(...enter, process.execPath, ...words)) });
      }
      return sides;
    },
  };
}

const list = (third: number, first: number): readonly string[] =>
  Array.from({ length: 10 }, (_, index) => `198.19.${third}.${first + index}`);

/** Addresses of this machine for endpoints, and a server that tells at which one it was asked. */
async function answering(stack: AsyncDisposableStack): Promise<number> {
  await must("ip", "link", "add", "bench-ends", "type", "bridge");
  stack.defer(async () => void (await must("ip", "link", "delete", "bench-ends")));
  await must("ip", "address", "add", "198.19.255.1/24", "dev", "bench-ends");
  await must("ip", "link", "set", "bench-ends", "up");
  await must("ip", "route", "add", "local", "198.19.255.0/24", "dev", "bench-ends");
  // The run's network has no way out, and what has no way is not sent at all.
  await must("ip", "route", "add", "10.96.0.0/13", "dev", "bench-ends");
  const server = createServer((socket) => socket.end(`${socket.localAddress}`));
  server.listen(0, "0.0.0.0");
  await once(server, "listening");
  stack.defer(() => void server.close());
  return (server.address() as { readonly port: number }).port;
}

/** Who answers there; undefined when nobody does. */
function whoAnswers(address: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    let said = "";
    const socket = connect({ host: address, port });
    socket.on("data", (data) => (said += data.toString()));
    socket.on("error", () => resolve(undefined));
    socket.on("close", () => resolve(said));
  });
}

/** From the API's answer to a change of all ten endpoints of a service until the kernel leads to the new ones. */
async function changing(stack: AsyncDisposableStack, count: number, network: string, port: number): Promise<Side> {
  const { client } = await startNode(stack, ["--service-cidr", network]);
  await share(8, count, async (_, index) => {
    await createService(client, `service-${index}`, list(index % 250, 1), port);
  });
  const name = "service-0";
  const address = textAt(await client.get({ ...SERVICES, name }), "spec", "clusterIP");
  let first = 1;
  const change = async (): Promise<number> => {
    first = first === 1 ? 101 : 1;
    const wanted = new Set(list(255, first));
    const ref = { ...SLICES, name };
    const { endpoints } = sliceOf(name, [...wanted], port);
    await client.patch(ref, "merge", { endpoints });
    const began = performance.now();
    while (!wanted.has((await whoAnswers(address, 80)) ?? ""));
    return performance.now() - began;
  };
  await change();
  return { name: `${count} services`, measure: change };
}

const changes: Benchmark<Context> = {
  name: "service/change",
  title: "ten new endpoints of a service, from the API's answer to the kernel",
  unit: "ms",
  rounds: 25,
  targets: [
    { side: "10 services", atMost: 50 },
    { side: "5000 services", atMost: 50 },
  ],
  async prepare(_context, stack) {
    const port = await answering(stack);
    return [await changing(stack, 10, "10.97.0.0/16", port), await changing(stack, 5000, "10.98.0.0/16", port)];
  },
};

/** Beside dnsmasq with the same name in its memory, where that is installed. */
const names: Benchmark<Context> = {
  name: "service/dns",
  title: `${QUESTIONS} questions for the name of a service, 64 at a time`,
  unit: "ms",
  rounds: 7,
  warmUp: 1,
  targets: [{ side: "boxship", atMost: 1000 }],
  async prepare(_context, stack) {
    const node = await startNode(stack);
    const { client } = node;
    const pods = await startPods(node);
    const clusterIP = await createService(client, "asked", [], PORT);
    const name = "asked.default.svc.cluster.local";
    const load = join(import.meta.dirname, "../dns-load.ts");
    const ask = (address: string, port: number) => async (): Promise<number> =>
      Number(await must(...pods.client, process.execPath, load, address, String(port), name, String(QUESTIONS)));
    const sides: Side[] = [{ name: "boxship", measure: ask("10.96.0.10", 53) }];
    if ((await runProgram(["which", "dnsmasq"])).status !== 0) return sides;
    const told = `--address=/${name}/${clusterIP}`;
    const gateway = (await must(...pods.client, "ip", "route", "show", "default")).split(" ")[2] ?? "";
    const listening = ["--port=5399", `--listen-address=${gateway}`, "--bind-interfaces"];
    const words = ["--keep-in-foreground", "--no-resolv", "--no-hosts", "--conf-file=/dev/null", "--user=root"];
    owned(stack, spawn("dnsmasq", [...words, ...listening, "--pid-file=", told], { stdio: "ignore" }));
    return [...sides, { name: "dnsmasq", measure: ask(gateway, 5399) }];
  },
};

export const serviceBenchmarks: readonly Benchmark<Context>[] = [
  traffic({
    name: "service/throughput",
    title: "1 GiB from a pod, by its address and by a service's",
    unit: "ms",
    bytes: BYTES,
    words: (address, port) => [program("network-client"), address, String(port), String(BYTES)],
  }),
  traffic({
    name: "service/latency",
    title: `a byte to a pod and back in an open connection, half of ${ROUND_TRIPS}`,
    unit: "µs",
    bytes: 0,
    words: latency("round-trips", ROUND_TRIPS),
  }),
  traffic({
    name: "service/connections",
    title: `a connection to a pod until its byte is there, half of ${CONNECTIONS}`,
    unit: "µs",
    bytes: 1,
    words: latency("connections", CONNECTIONS),
  }),
  changes,
  names,
];
