import { setTimeout as delay } from "node:timers/promises";
import type { Context, Engine } from "../context.ts";
import type { Benchmark, Side } from "../harness.ts";
import { memoryOf, processorTime } from "../processes.ts";

const containers = 50;
/** Long enough for the daemon to give back what it needed for starting containers. */
const settle = 15_000;
const watched = 20_000;

/** Runs containers that sleep, so that they cost what the engine makes of them. */
async function fill(context: Context, { client }: Engine, stack: AsyncDisposableStack): Promise<void> {
  const image = await context.image();
  const ids: string[] = [];
  for (let index = 0; index < containers; index++) {
    const body = { Image: image, Cmd: ["sleep", "100000"] };
    const { Id } = await client.json<{ Id: string }>("POST", "/containers/create", body);
    ids.push(Id);
    await client.json("POST", `/containers/${Id}/start`);
  }
  stack.defer(async () => {
    await Promise.all(ids.map((id) => client.json("DELETE", `/containers/${id}?force=1`)));
  });
}

const idle: Benchmark<Context> = {
  name: "memory-idle",
  title: "resident memory of an engine that has run a container and is idle",
  unit: "MB",
  rounds: 3,
  warmUp: 0,
  targets: [{ side: "boxship", atMost: 90 }],
  async prepare(context) {
    const engines = await context.engines();
    await delay(settle);
    return engines.flatMap((engine): Side[] => [
      { name: engine.name, measure: async () => (await memoryOf(engine)).resident },
      { name: `${engine.name} (PSS)`, measure: async () => (await memoryOf(engine)).proportional },
    ]);
  },
};

const perContainer: Benchmark<Context> = {
  name: "memory-container",
  // The monitors share nearly all of their pages, which a sum of resident sets would count fifty times.
  title: `memory (PSS) that one of ${containers} running containers adds, monitor included`,
  unit: "MB",
  rounds: 3,
  warmUp: 0,
  targets: [{ side: "boxship", atMost: 3 }],
  async prepare(context, stack) {
    const sides: Side[] = [];
    for (const engine of await context.engines()) {
      const before = await memoryOf(engine);
      await fill(context, engine, stack);
      await delay(settle);
      const added = async (kind: "resident" | "proportional") => {
        return ((await memoryOf(engine))[kind] - before[kind]) / containers;
      };
      sides.push({ name: engine.name, measure: () => added("proportional") });
      sides.push({ name: `${engine.name} (RSS)`, measure: () => added("resident") });
    }
    return sides;
  },
};

const idleProcessor: Benchmark<Context> = {
  name: "cpu-idle",
  title: `processor time of the engine while ${containers} containers run and nothing is asked`,
  unit: "% of a core",
  rounds: 2,
  warmUp: 0,
  targets: [{ side: "boxship", atMost: 0.5 }],
  async prepare(context, stack) {
    const engines = await context.engines();
    for (const engine of engines) await fill(context, engine, stack);
    await delay(settle);
    return engines.map((engine) => ({
      name: engine.name,
      async measure() {
        const [start, before] = [performance.now(), await processorTime(engine)];
        await delay(watched);
        const seconds = (performance.now() - start) / 1000;
        return (100 * ((await processorTime(engine)) - before)) / seconds;
      },
    }));
  },
};

export const footprintBenchmarks: readonly Benchmark<Context>[] = [idle, perContainer, idleProcessor];
