import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { buildBenchmarks } from "./cases/build.ts";
import { largeBuildBenchmarks } from "./cases/build-large.ts";
import { commandLineBenchmark } from "./cases/command-line.ts";
import { containerBenchmarks } from "./cases/containers.ts";
import { controllerBenchmarks } from "./cases/controllers.ts";
import { copyBenchmarks } from "./cases/copies.ts";
import { doorBenchmarks } from "./cases/door.ts";
import { footprintBenchmarks } from "./cases/footprint.ts";
import { helmBenchmarks } from "./cases/helm.ts";
import { kubernetesBenchmarks } from "./cases/kubernetes-api.ts";
import { kustomizeBenchmark } from "./cases/kustomize.ts";
import { logBenchmarks } from "./cases/logs.ts";
import { networkBenchmarks } from "./cases/network.ts";
import { platformBenchmarks } from "./cases/platform.ts";
import { podBenchmarks } from "./cases/pods.ts";
import { pullBenchmarks } from "./cases/pull.ts";
import { pushBenchmarks } from "./cases/push.ts";
import { registryBenchmarks } from "./cases/registry.ts";
import { schedulerBenchmarks } from "./cases/scheduler.ts";
import { serviceBenchmarks } from "./cases/services.ts";
import { simulationBenchmarks } from "./cases/simulation.ts";
import { Context } from "./context.ts";
import { type Benchmark, type Result, runBenchmark, table } from "./harness.ts";

// Memory first: what ran before leaves its trace in a daemon.
const benchmarks: readonly Benchmark<Context>[] = [
  ...footprintBenchmarks,
  ...containerBenchmarks,
  ...doorBenchmarks,
  ...kubernetesBenchmarks,
  ...helmBenchmarks,
  ...schedulerBenchmarks,
  ...controllerBenchmarks,
  ...platformBenchmarks,
  ...podBenchmarks,
  ...serviceBenchmarks,
  ...simulationBenchmarks,
  ...logBenchmarks,
  ...networkBenchmarks,
  ...pullBenchmarks,
  ...pushBenchmarks,
  ...copyBenchmarks,
  ...registryBenchmarks,
  ...buildBenchmarks,
  ...largeBuildBenchmarks,
  commandLineBenchmark,
  kustomizeBenchmark,
];

const usage = `bench [--list] [--only NAME,…] [--rounds N]
Side by side with Docker and the bare runtimes. The table goes to standard output, the numbers to bench-results/.
`;

function machine(): Record<string, string | number> {
  const system = /^PRETTY_NAME="?([^"\n]*)/m.exec(readFileSync("/etc/os-release", "utf8"))?.[1] ?? "Linux";
  const processor = cpus()[0]?.model ?? "unknown";
  return { cores: cpus().length, processor, memory: Math.round(totalmem() / 2 ** 30), kernel: release(), system };
}

function save(results: readonly Result[], failed: readonly string[]): string {
  const directory = resolve(import.meta.dirname, "../bench-results");
  mkdirSync(directory, { recursive: true });
  const date = new Date().toISOString();
  const path = join(directory, `${date.replaceAll(":", "-").slice(0, 19)}.json`);
  writeFileSync(
    path,
    `${JSON.stringify({ date, machine: machine(), node: process.version, results, failed }, null, 1)}\n`,
  );
  return path;
}

async function runAll(chosen: readonly Benchmark<Context>[], rounds: number | undefined): Promise<boolean> {
  await using context = new Context();
  const results: Result[] = [];
  const failed: string[] = [];
  for (const benchmark of chosen) {
    process.stderr.write(`${benchmark.name}: ${benchmark.title}\n`);
    try {
      results.push(await runBenchmark(benchmark, context, { rounds }));
    } catch (error) {
      failed.push(benchmark.name);
      process.stderr.write(`  failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    }
  }
  const missed = results.flatMap(({ targets }) => targets).filter(({ met }) => !met).length;
  process.stdout.write(`\n${table(results)}\n`);
  process.stdout.write(
    `${results.length} measured, ${failed.length} failed, ${missed} targets missed; ${save(results, failed)}\n`,
  );
  return failed.length === 0;
}

const { values } = parseArgs({
  options: {
    list: { type: "boolean" },
    only: { type: "string", multiple: true },
    rounds: { type: "string" },
    help: { type: "boolean" },
  },
});
const only = values.only?.flatMap((names) => names.split(","));
const unknown = only?.filter((name) => !benchmarks.some((benchmark) => benchmark.name === name)) ?? [];
if (values.help === true) {
  process.stdout.write(usage);
} else if (values.list === true) {
  for (const { name, title } of benchmarks) process.stdout.write(`${name.padEnd(18)}${title}\n`);
} else if (unknown.length > 0) {
  process.stderr.write(`no such benchmark: ${unknown.join(", ")}; --list names them\n`);
  process.exitCode = 2;
} else {
  const chosen = benchmarks.filter(({ name }) => only?.includes(name) ?? true);
  const rounds = values.rounds === undefined ? undefined : Number(values.rounds);
  process.exitCode = (await runAll(chosen, rounds)) ? 0 : 1;
}
