import { startRegistry } from "@boxship/testkit";
import { type Context, type Engine, pull } from "../context.ts";
import type { Benchmark, Side } from "../harness.ts";
import { largeImage, manyLayers, timed } from "./pull.ts";

/** Pushes and waits; the answer is a stream of progress whose last line may be the error. */
async function push({ client }: Engine, repository: string, tag: string): Promise<void> {
  const headers = { "X-Registry-Auth": Buffer.from("{}").toString("base64") };
  const { status, text } = await client.call("POST", `/images/${repository}/push?tag=${tag}`, { headers });
  if (status !== 200 || text.includes('"errorDetail"') || !text.includes("digest: sha256:"))
    throw new Error(`push of ${repository}:${tag}: ${status} ${text.slice(-500)}`);
}

/** To an empty registry each time: nothing is there, and nothing can be mounted. */
function pushSide(
  engine: Engine,
  image: string,
  stack: AsyncDisposableStack,
): Side & { readonly target: () => string } {
  const { name, client } = engine;
  let target = "";
  let registry: AsyncDisposable | undefined;
  stack.defer(async () => registry?.[Symbol.asyncDispose]());
  return {
    name,
    target: () => target,
    before: async () => {
      if (target !== "") await client.call("DELETE", `/images/${encodeURIComponent(`${target}:1`)}`);
      await registry?.[Symbol.asyncDispose]();
      const started = await startRegistry();
      registry = started;
      target = `${started.host}/bench/pushed`;
      await client.json("POST", `/images/${encodeURIComponent(image)}/tag?repo=${encodeURIComponent(target)}&tag=1`);
    },
    measure: () => timed(() => push(engine, target, "1")),
  };
}

async function enginesWithImage(context: Context, stack: AsyncDisposableStack, imageFor = largeImage) {
  const image = await imageFor(context);
  const engines = await context.engines();
  for (const { client } of engines) {
    await pull(client, image);
    stack.defer(async () => void (await client.call("DELETE", `/images/${encodeURIComponent(image)}?force=1`)));
  }
  return { image, engines };
}

function pushBenchmark(name: string, title: string, imageFor: typeof largeImage): Benchmark<Context> {
  return {
    name,
    title,
    unit: "ms",
    rounds: 5,
    warmUp: 1,
    targets: [{ side: "boxship", against: "docker", atMost: 1 }],
    async prepare(context, stack) {
      const { image, engines } = await enginesWithImage(context, stack, imageFor);
      return engines.map((engine) => pushSide(engine, image, stack));
    },
  };
}

const loopBenchmark: Benchmark<Context> = {
  name: "push-loop",
  title: "longest stop of the daemon's event loop during that push",
  unit: "ms",
  rounds: 3,
  warmUp: 1,
  targets: [{ side: "boxship", atMost: 50 }],
  async prepare(context, stack) {
    const { image, engines } = await enginesWithImage(context, stack);
    return engines.flatMap((engine) => {
      const { longestStop } = engine;
      if (longestStop === undefined) return [];
      const side = pushSide(engine, image, stack);
      return [{ ...side, measure: () => longestStop(() => push(engine, side.target(), "1")) }];
    });
  },
};

export const pushBenchmarks: readonly Benchmark<Context>[] = [
  pushBenchmark("push", "push of 10 layers, 500 MB, to an empty registry on localhost", largeImage),
  pushBenchmark("push-40", "push of 40 layers of 1 MB to an empty registry on localhost", manyLayers),
  loopBenchmark,
];
