import type { Context, Engine } from "../context.ts";
import type { Benchmark } from "../harness.ts";

const LINES = 10_000_000;
const LINE = "x".repeat(99);

/** A container that has printed 1 GB in lines of 100 bytes, all of which is kept. */
async function printed({ client }: Engine, image: string): Promise<string> {
  const body = {
    Image: image,
    Cmd: ["sh", "-c", `yes ${LINE} | head -n ${LINES}`],
    HostConfig: { NetworkMode: "none", LogConfig: { Type: "json-file", Config: { "max-size": "20g" } } },
  };
  const { Id } = await client.json<{ readonly Id: string }>("POST", "/containers/create", body);
  await client.json("POST", `/containers/${Id}/start`);
  await client.json("POST", `/containers/${Id}/wait`);
  return Id;
}

async function readAll({ name, client }: Engine, id: string, query: string): Promise<number> {
  const start = performance.now();
  const response = await client.stream("GET", `/containers/${id}/logs?stdout=1&stderr=1${query}`);
  let bytes = 0;
  for await (const chunk of response) bytes += (chunk as Buffer).length;
  const time = performance.now() - start;
  const each = LINE.length + 1 + 8 + (query === "" ? 0 : 31);
  // A line may come in several frames.
  if (bytes < LINES * each) throw new Error(`${name} sent ${bytes} bytes of ${LINES * each}`);
  return time;
}

function logsBenchmark(name: string, title: string, query: string): Benchmark<Context> {
  return {
    name,
    title,
    unit: "ms",
    // Docker takes a minute for each.
    rounds: query === "" ? 2 : 1,
    warmUp: 0,
    targets: [{ side: "boxship", against: "docker", atMost: 1 }],
    async prepare(context, stack) {
      const [engines, image] = [await context.engines(), await context.image()];
      const sides = [];
      for (const engine of engines) {
        const id = await printed(engine, image);
        stack.defer(() => engine.client.json("DELETE", `/containers/${id}?force=1`));
        sides.push({ name: engine.name, measure: () => readAll(engine, id, query) });
      }
      return sides;
    },
  };
}

export const logBenchmarks: readonly Benchmark<Context>[] = [
  logsBenchmark("logs", "logs of 1 GB in 10 million lines, through the API", ""),
  logsBenchmark("logs-times", "the same with a time before each line", "&timestamps=1"),
];
