import { rm } from "node:fs/promises";
import { runProgram } from "@boxship/testkit";
import { type Context, type Engine, pull } from "../context.ts";
import type { Benchmark, Side } from "../harness.ts";
import { largeLayers, pushImage } from "../image.ts";

/** What an image is made of. */
interface Size {
  readonly name: string;
  readonly layers: number;
  readonly bytes: number;
}

const large: Size = { name: "large", layers: 10, bytes: 500e6 };
const many: Size = { name: "many", layers: 40, bytes: 40e6 };

const pushed = new WeakMap<Context, Map<string, Promise<string>>>();

/** The name of an image of 10 layers and 500 MB in the registry of the run. */
export function largeImage(context: Context): Promise<string> {
  return imageOf(context, large);
}

/** The name of an image of 40 layers of 1 MB in the registry of the run. */
export function manyLayers(context: Context): Promise<string> {
  return imageOf(context, many);
}

function imageOf(context: Context, size: Size): Promise<string> {
  const images = pushed.get(context) ?? new Map<string, Promise<string>>();
  pushed.set(context, images);
  const known = images.get(size.name) ?? pushSized(context, size);
  images.set(size.name, known);
  return known;
}

async function pushSized(context: Context, { name, layers, bytes }: Size): Promise<string> {
  const host = await context.registry();
  const folders = await largeLayers(context.work, layers, bytes / layers);
  await pushImage(`http://${host}/v2/bench/${name}`, "1", folders, context.work);
  await Promise.all(folders.map((folder) => rm(folder, { recursive: true })));
  return `${host}/bench/${name}:1`;
}

export async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

function engineSide({ name, client }: Engine, image: string): Side {
  return {
    name,
    before: async () => {
      await client.call("DELETE", `/images/${encodeURIComponent(image)}?force=1`);
      await runProgram(["sync"]);
    },
    measure: () => timed(() => pull(client, image)),
  };
}

/** containerd by itself, through its own client: the one that dockerd runs, in a namespace of its own. */
function containerdSide(socket: string, image: string): Side {
  const ctr = async (...args: string[]): Promise<void> => {
    const ran = await runProgram(["ctr", "--address", socket, "--namespace", "bench", ...args]);
    if (ran.status !== 0) throw new Error(`ctr ${args.join(" ")}: ${ran.stderr}`);
  };
  return {
    name: "containerd",
    before: async () => {
      await runProgram(["ctr", "--address", socket, "--namespace", "bench", "images", "rm", "--sync", image]);
      await runProgram(["sync"]);
    },
    measure: () => timed(() => ctr("images", "pull", "--plain-http", image)),
  };
}

const loopBenchmark: Benchmark<Context> = {
  name: "pull-loop",
  title: "longest stop of the daemon's event loop during that pull",
  unit: "ms",
  rounds: 3,
  warmUp: 1,
  targets: [{ side: "boxship", atMost: 50 }],
  async prepare(context) {
    const image = await largeImage(context);
    return (await context.engines()).flatMap((engine) => {
      const { longestStop, client } = engine;
      if (longestStop === undefined) return [];
      return [{ ...engineSide(engine, image), measure: () => longestStop(() => pull(client, image)) }];
    });
  },
};

function pullBenchmark(
  name: string,
  title: string,
  imageFor: (context: Context) => Promise<string>,
): Benchmark<Context> {
  return {
    name,
    title,
    unit: "ms",
    rounds: 5,
    warmUp: 1,
    targets: [
      { side: "boxship", against: "docker", atMost: 1 },
      { side: "boxship", against: "containerd", atMost: 1 },
    ],
    async prepare(context, stack) {
      const engines = await context.engines();
      const image = await imageFor(context);
      stack.defer(async () => {
        for (const { client } of engines) await client.call("DELETE", `/images/${encodeURIComponent(image)}?force=1`);
      });
      const socket = engines.find(({ containerdSocket }) => containerdSocket !== undefined)?.containerdSocket;
      const sides = engines.map((engine) => engineSide(engine, image));
      return socket === undefined ? sides : [...sides, containerdSide(socket, image)];
    },
  };
}

export const pullBenchmarks: readonly Benchmark<Context>[] = [
  pullBenchmark("pull", "pull of 10 layers, 500 MB, from a registry on localhost, cold", largeImage),
  pullBenchmark("pull-40", "pull of 40 layers of 1 MB from a registry on localhost, cold", manyLayers),
  loopBenchmark,
];
