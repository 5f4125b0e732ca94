import { readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { cliProgram, makeTar, runProgram } from "@boxship/testkit";
import type { Context, Engine } from "../context.ts";
import type { Benchmark, Side } from "../harness.ts";
import { timed } from "./pull.ts";

const FILES = 50_000;
const LAYER_BYTES = 4_000_000_000;
const NOISE_BYTES = 1_000_000_000;
const SAMPLE_MS = 20;

async function build({ client }: Engine, archive: Buffer): Promise<void> {
  const { status, text } = await client.call("POST", "/build?t=bench/large:1&rm=1&nocache=1", {
    body: archive,
    headers: { "content-type": "application/x-tar" },
  });
  if (status !== 200 || !text.includes("Successfully built")) throw new Error(`build: ${status} ${text.slice(-500)}`);
}

async function forget({ client }: Engine): Promise<void> {
  await client.call("DELETE", "/images/bench/large:1?force=1");
  await client.call("POST", "/build/prune?all=1");
}

const files: Benchmark<Context> = {
  name: "build-context",
  title: `build that copies a context of ${FILES} files, on a file system in memory`,
  unit: "ms",
  rounds: 3,
  warmUp: 0,
  targets: [{ side: "boxship", against: "docker", atMost: 1 }],
  async prepare(context, stack) {
    const content = "a line of a small file\n".repeat(10);
    const archive = makeTar([
      { name: "Dockerfile", content: `FROM ${await context.image()}\nCOPY . /c/\n` },
      ...Array.from({ length: FILES / 100 }, (_, index) => ({ name: `d${index}`, type: "directory" as const })),
      ...Array.from({ length: FILES }, (_, index) => ({ name: `d${Math.floor(index / 100)}/f${index}`, content })),
    ]);
    const engines = await context.enginesInMemory(stack);
    return engines.map((engine): Side => {
      return { name: engine.name, before: () => forget(engine), measure: () => timed(() => build(engine, archive)) };
    });
  },
};

/** What the large layer is made of, and how it leaves. */
const MEMORIES = [
  {
    name: "build-memory",
    title: `while a layer of ${LAYER_BYTES / 1e9} GB is made`,
    command: `head -c ${LAYER_BYTES} /dev/zero`,
    compression: undefined,
  },
  ...(["zstd", "gzip"] as const).flatMap((compression) => [
    {
      name: `build-memory-${compression}`,
      title: `while a layer of ${LAYER_BYTES / 1e9} GB is made, compressed with ${compression} and sent`,
      command: `head -c ${LAYER_BYTES} /dev/zero`,
      compression,
    },
    {
      name: `build-memory-${compression}-noise`,
      title: `while a layer of ${NOISE_BYTES / 1e9} GB of noise is made, compressed with ${compression} and sent`,
      command: `head -c ${NOISE_BYTES} /dev/urandom`,
      compression,
    },
  ]),
];

function memory({ name, title, command, compression }: (typeof MEMORIES)[number]): Benchmark<Context> {
  return {
    name,
    title: `what the daemon's memory grows by at most ${title}`,
    unit: "MB",
    rounds: 1,
    warmUp: 0,
    targets: [{ side: "boxship", atMost: compression === undefined ? 100 : 80 }],
    async prepare(context, stack) {
      const file = `FROM ${await context.image()}\nRUN ${command} > /large\n`;
      const archive = makeTar([{ name: "Dockerfile", content: file }]);
      const directory = context.work.join(name);
      await mkdir(directory);
      await writeFile(join(directory, "Dockerfile"), file);
      const flags = ["-o", `type=oci,dest=/dev/null,compression=${compression}`, directory];
      const engines = await context.engines();
      return engines
        .filter(({ name: side }) => side === "boxship")
        .map((engine): Side => {
          stack.defer(() => forget(engine));
          const made = () => (compression === undefined ? build(engine, archive) : buildAndSend(engine, flags));
          return { name: engine.name, before: () => forget(engine), measure: () => growth(engine, made) };
        });
    },
  };
}

async function buildAndSend({ client }: Engine, flags: readonly string[]): Promise<void> {
  const program = [...cliProgram(), "--host", `unix://${client.socketPath}`, "build", "-q", "--no-cache", ...flags];
  const { status, stderr } = await runProgram(program, { timeout: 600_000 });
  if (status !== 0) throw new Error(`boxship build: ${stderr.slice(-500)}`);
}

/** MB. */
async function growth(engine: Engine, made: () => Promise<void>): Promise<number> {
  const resident = () =>
    Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${engine.pid}/status`, "utf8"))?.[1] ?? 0) / 1024;
  const before = resident();
  let peak = before;
  const timer = setInterval(() => {
    peak = Math.max(peak, resident());
  }, SAMPLE_MS);
  try {
    await made();
  } finally {
    clearInterval(timer);
  }
  return peak - before;
}

export const largeBuildBenchmarks: readonly Benchmark<Context>[] = [files, ...MEMORIES.map(memory)];
