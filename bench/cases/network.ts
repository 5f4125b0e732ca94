import { join } from "node:path";
import { type EngineClient, runProgram } from "@boxship/testkit";
import type { Context, Engine } from "../context.ts";
import type { Benchmark, Side } from "../harness.ts";
import { receive, timed } from "../network-client.ts";

const BYTES = 2 ** 30;
const BLOCK = 65_536;
const CONNECTIONS = 200;

interface Started {
  readonly id: string;
  /** On the default bridge. */
  readonly address: string;
  readonly gateway: string;
  /** Of the host, where port 80 is published. */
  readonly port: number;
}

interface Inspected {
  readonly NetworkSettings: {
    readonly Networks: { readonly bridge: { readonly IPAddress: string; readonly Gateway: string } };
    readonly Ports: Readonly<Record<string, readonly { readonly HostPort: string }[] | null>>;
  };
}

/** A container that sends `bytes` zeros to whoever connects to its port 80. */
async function startServer({ client }: Engine, image: string, bytes: number): Promise<Started> {
  const send = ["dd", "if=/dev/zero", `bs=${Math.min(BLOCK, bytes)}`, `count=${Math.ceil(bytes / BLOCK)}`];
  const body = {
    Image: image,
    Cmd: ["nc", "-ll", "-p", "80", "-e", ...send],
    ExposedPorts: { "80/tcp": {} },
    HostConfig: { PortBindings: { "80/tcp": [{ HostIp: "0.0.0.0", HostPort: "0" }] } },
  };
  const { Id: id } = await client.json<{ readonly Id: string }>("POST", "/containers/create", body);
  await client.json("POST", `/containers/${id}/start`);
  const { NetworkSettings } = await client.json<Inspected>("GET", `/containers/${id}/json`);
  const { IPAddress: address, Gateway: gateway } = NetworkSettings.Networks.bridge;
  const started = { id, address, gateway, port: Number(NetworkSettings.Ports["80/tcp"]?.[0]?.HostPort) };
  await listening(started);
  return started;
}

/** The program in the container may be slower than its engine. */
async function listening({ port }: Started): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await receive("127.0.0.1", port, 1);
      return;
    } catch (error) {
      if (attempt === 50) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

type Measure = (
  engine: Engine,
  server: Started,
  stack: AsyncDisposableStack,
  image: string,
) => Promise<Side["measure"]>;

function networkBenchmark(
  name: string,
  title: string,
  bytes: number,
  measure: Measure,
  rootless = false,
): Benchmark<Context> {
  return {
    name,
    title,
    unit: "ms",
    rounds: 7,
    warmUp: 1,
    targets: [{ side: "boxship", against: "docker", atMost: 1.1 }],
    async prepare(context, stack) {
      const [others, image] = [await context.engines(), await context.image()];
      const engines = rootless ? [...others, await context.rootless()] : others;
      const sides: Side[] = [];
      for (const engine of engines) {
        const server = await startServer(engine, image, bytes);
        stack.defer(() => remove(engine.client, server.id));
        sides.push({ name: engine.name, measure: await measure(engine, server, stack, image) });
      }
      return sides;
    },
  };
}

async function remove(client: EngineClient, id: string): Promise<void> {
  await client.json("DELETE", `/containers/${id}?force=1`);
}

/** From one of the host's own addresses; `127.0.0.1` may go another way. */
function fromHost(host: (server: Started) => string, times = 1): Measure {
  return (_engine, server) => {
    const least = times === 1 ? BYTES : 1;
    return Promise.resolve(() =>
      timed(async () => {
        for (let time = 0; time < times; time++) await receive(host(server), server.port, least);
      }),
    );
  };
}

/** A program in the network namespace of another container on the bridge takes what the server sends. */
const fromContainer: Measure = async ({ client }, server, stack, image) => {
  const body = { Image: image, Cmd: ["sleep", "100000"] };
  const { Id: id } = await client.json<{ readonly Id: string }>("POST", "/containers/create", body);
  stack.defer(() => remove(client, id));
  await client.json("POST", `/containers/${id}/start`);
  const { State } = await client.json<{ readonly State: { readonly Pid: number } }>("GET", `/containers/${id}/json`);
  const program = join(import.meta.dirname, "../network-client.ts");
  const command = ["nsenter", `--net=/proc/${State.Pid}/ns/net`, process.execPath, program];
  return async () => {
    const { status, stdout, stderr } = await runProgram([...command, server.address, "80", String(BYTES)]);
    if (status !== 0) throw new Error(`the client failed: ${stderr}`);
    return Number(stdout);
  };
};

export const networkBenchmarks: readonly Benchmark<Context>[] = [
  networkBenchmark(
    "port-throughput",
    "1 GiB from a published port, by an address of the host",
    BYTES,
    fromHost(({ gateway }) => gateway),
  ),
  networkBenchmark(
    "port-localhost",
    "1 GiB from a published port, by 127.0.0.1",
    BYTES,
    fromHost(() => "127.0.0.1"),
    true,
  ),
  networkBenchmark(
    "port-connections",
    `${CONNECTIONS} connections to a published port, one after the other`,
    1,
    fromHost(({ gateway }) => gateway, CONNECTIONS),
  ),
  networkBenchmark(
    "between-containers",
    "1 GiB from one container to another on the default bridge",
    BYTES,
    fromContainer,
  ),
];
