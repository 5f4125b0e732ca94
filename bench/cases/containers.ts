import type { EngineClient } from "@boxship/testkit";
import { BareLauncher, makeBundle } from "../bare-runtime.ts";
import type { Context, Engine } from "../context.ts";
import type { Benchmark, Side } from "../harness.ts";

interface Created {
  readonly Id: string;
}

async function create(client: EngineClient, image: string, command: readonly string[], host: object): Promise<string> {
  const body = { Image: image, Cmd: command, HostConfig: host };
  return (await client.json<Created>("POST", "/containers/create", body)).Id;
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/** What `docker run --rm IMAGE true` asks of the engine, attaching left out. */
async function runOnce(client: EngineClient, image: string, network: string): Promise<void> {
  const id = await create(client, image, ["true"], { AutoRemove: true, NetworkMode: network });
  const removed = client.json<{ StatusCode: number }>("POST", `/containers/${id}/wait?condition=removed`);
  await client.json("POST", `/containers/${id}/start`);
  const { StatusCode } = await removed;
  if (StatusCode !== 0) throw new Error(`true ended with ${StatusCode}`);
}

async function bareSides(context: Context, name: string, stack: AsyncDisposableStack): Promise<readonly Side[]> {
  await context.image();
  const bundle = await makeBundle(context, name, context.tree, ["true"]);
  const launcher = stack.use(await BareLauncher.start());
  return ["runc", "crun"].map((runtime) => ({
    name: runtime,
    measure: () => launcher.run(runtime, context.work.join(`state-${runtime}`), bundle),
  }));
}

function runBenchmark(name: string, title: string, network: string, atMost: number): Benchmark<Context> {
  return {
    name,
    title,
    unit: "ms",
    rounds: 20,
    warmUp: 3,
    targets: [{ side: "boxship", against: "runc", atMost }],
    async prepare(context, stack) {
      const [engines, image] = [await context.engines(), await context.image()];
      const sides = engines.map((engine) => ({
        name: engine.name,
        measure: () => timed(() => runOnce(engine.client, image, network)),
      }));
      return [...sides, ...(await bareSides(context, name, stack))];
    },
  };
}

const exec: Benchmark<Context> = {
  name: "exec",
  title: "exec of true in a running container, through the API",
  unit: "ms",
  rounds: 30,
  warmUp: 3,
  targets: [{ side: "boxship", against: "docker", atMost: 1 / 3 }],
  async prepare(context, stack) {
    const image = await context.image();
    return Promise.all(
      (await context.engines()).map(async ({ name, client }) => {
        const id = await create(client, image, ["sleep", "100000"], { NetworkMode: "none" });
        stack.defer(() => client.json("DELETE", `/containers/${id}?force=1`));
        await client.json("POST", `/containers/${id}/start`);
        return { name, measure: () => timed(() => execOnce(client, id)) };
      }),
    );
  },
};

async function execOnce(client: EngineClient, id: string): Promise<void> {
  const body = { Cmd: ["true"], AttachStdout: true, AttachStderr: true };
  const { Id } = await client.json<Created>("POST", `/containers/${id}/exec`, body);
  const stream = await client.hijack(`/exec/${Id}/start`, { Detach: false, Tty: false });
  stream.resume();
  await new Promise((resolve) => stream.once("end", resolve));
  stream.end();
  // Docker answers the end of the output a little before it knows the status: its own client asks until it does.
  for (;;) {
    const state = await client.json<{ Running: boolean; ExitCode: number | null }>("GET", `/exec/${Id}/json`);
    if (!state.Running && state.ExitCode === 0) return;
    if (!state.Running) throw new Error(`exec ended with ${state.ExitCode}`);
  }
}

const burst: Benchmark<Context> = {
  name: "burst",
  title: "50 containers started at once and all removed, default network",
  unit: "ms",
  rounds: 3,
  warmUp: 1,
  targets: [{ side: "boxship", against: "docker", atMost: 1 / 5 }],
  async prepare(context) {
    const image = await context.image();
    return (await context.engines()).map((engine) => ({
      name: engine.name,
      measure: () => timed(() => startAndRemove(engine, image, 50)),
    }));
  },
};

async function startAndRemove({ client }: Engine, image: string, count: number): Promise<void> {
  const ids = await Promise.all(
    Array.from({ length: count }, async () => {
      const id = await create(client, image, ["sleep", "100000"], {});
      await client.json("POST", `/containers/${id}/start`);
      return id;
    }),
  );
  await Promise.all(ids.map((id) => client.json("DELETE", `/containers/${id}?force=1`)));
}

export const containerBenchmarks: readonly Benchmark<Context>[] = [
  runBenchmark("run-none", "run --rm of true without a network, through the API", "none", 2.0),
  runBenchmark("run-bridge", "run --rm of true on the default bridge, through the API", "default", 2.5),
  burst,
  exec,
];
