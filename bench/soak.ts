import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { type Boxship, startBoxship } from "@boxship/testkit";
import { engineProgram } from "./context.ts";

/**
 * Creates, runs and removes containers, by the thousand, with and without a network, with volumes, published ports, logs
 * and execs, and looks at the daemon meanwhile. What it holds on to for each container shows as growth, and fails the run.
 */

interface Sample {
  readonly containers: number;
  /** MB. */
  readonly resident: number;
  /** MB; pages that processes share count in part. */
  readonly proportional: number;
  readonly descriptors: number;
  readonly threads: number;
  readonly mounts: number;
  readonly processes: number;
}

/** What may be more at the end than once the engine was warm. */
const MOST_GROWTH: Readonly<Omit<Sample, "containers">> = {
  resident: 20,
  proportional: 20,
  descriptors: 4,
  threads: 2,
  mounts: 0,
  processes: 0,
};

const LINES = 10;
/** The daemon gives memory back, and its threads end, once it has been idle for a while. */
const IDLE_MS = 12_000;

function sample(engine: Boxship, containers: number): Sample {
  const { pid } = engine;
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const memory = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  const field = (text: string, name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(text)?.[1] ?? 0);
  return {
    containers,
    resident: Math.round(field(memory, "Rss") / 102.4) / 10,
    proportional: Math.round(field(memory, "Pss") / 102.4) / 10,
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
    threads: field(status, "Threads"),
    mounts: readFileSync(`/proc/${pid}/mountinfo`, "utf8").trim().split("\n").length,
    processes: monitors(engine),
  };
}

/** Monitors that are still there. */
function monitors({ runDir }: Boxship): number {
  return readdirSync("/proc").filter((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      return readFileSync(`/proc/${name}/cmdline`, "utf8").includes(`${runDir}/runtime/containers/`);
    } catch {
      return false;
    }
  }).length;
}

/** Kinds of containers, one after the other. */
const KINDS: readonly object[] = [
  { HostConfig: { NetworkMode: "none" } },
  { HostConfig: {} },
  { HostConfig: { PortBindings: { "80/tcp": [{}] } }, ExposedPorts: { "80/tcp": {} } },
  { HostConfig: { NetworkMode: "none", Binds: ["/anonymous"], Tmpfs: { "/scratch": "" } } },
  { HostConfig: { NetworkMode: "none", Memory: 32 << 20, PidsLimit: 50, AutoRemove: true } },
];

async function oneContainer({ client }: Boxship, index: number): Promise<void> {
  const kind = KINDS[index % KINDS.length] ?? {};
  const body = { Image: "busybox", Cmd: ["sh", "-c", `echo ${index}; read -r line; exit 3`], OpenStdin: true, ...kind };
  const { Id } = await client.json<{ Id: string }>("POST", "/containers/create", body);
  const ended = client.json("POST", `/containers/${Id}/wait?condition=removed`);
  await client.json("POST", `/containers/${Id}/start`);
  if (index % 4 === 0) {
    const exec = await client.json<{ Id: string }>("POST", `/containers/${Id}/exec`, { Cmd: ["true"] });
    await client.call("POST", `/exec/${exec.Id}/start`, { body: { Detach: true } });
  }
  await client.call("GET", `/containers/${Id}/json`);
  await client.call("GET", `/containers/${Id}/logs?stdout=1`);
  const { status } = await client.call("DELETE", `/containers/${Id}?force=1&v=1`);
  if (status !== 204) throw new Error(`container ${index} could not be removed: ${status}`);
  await ended;
}

async function batch(engine: Boxship, from: number, to: number, parallel: number): Promise<void> {
  let next = from;
  const worker = async () => {
    while (next < to) await oneContainer(engine, next++);
  };
  await Promise.all(Array.from({ length: parallel }, worker));
}

function print(values: readonly (string | number)[]): void {
  process.stdout.write(`${values.map((value) => String(value).padStart(11)).join("")}\n`);
}

const { values } = parseArgs({
  options: { containers: { type: "string", default: "5000" }, parallel: { type: "string", default: "4" } },
});
const containers = Number(values.containers);
const parallel = Number(values.parallel);
if (!Number.isInteger(containers) || containers < LINES || !Number.isInteger(parallel) || parallel < 1) {
  throw new Error(`--containers is at least ${LINES}, --parallel at least 1`);
}

const grown: string[] = [];
{
  await using engine = await startBoxship({ program: engineProgram() });
  const made = await engine.client.call("POST", "/boxship/images/bootstrap?kind=busybox");
  if (!made.text.includes('"aux"')) throw new Error(`no image: ${made.text}`);
  print(["containers", "RSS MB", "PSS MB", "fds", "threads", "mounts", "monitors", "per second"]);
  let warm: Sample | undefined;
  for (let line = 1; line <= LINES; line++) {
    const from = Math.floor((containers * (line - 1)) / LINES);
    const to = Math.floor((containers * line) / LINES);
    const start = performance.now();
    await batch(engine, from, to, parallel);
    const speed = Math.round((to - from) / ((performance.now() - start) / 1000));
    const now = sample(engine, to);
    print([...Object.values(now), speed]);
    if (line !== 1 && line !== LINES) continue;
    await delay(IDLE_MS);
    const idle = sample(engine, to);
    print([...Object.values(idle), "idle"]);
    warm ??= idle;
    for (const [name, most] of Object.entries(MOST_GROWTH)) {
      const growth = idle[name as keyof Sample] - warm[name as keyof Sample];
      if (growth > most) grown.push(`${name} grew by ${Math.round(growth * 10) / 10}, ${most} is allowed`);
    }
  }
  const left = await engine.client.json<readonly unknown[]>("GET", "/containers/json?all=1");
  if (left.length > 0) grown.push(`${left.length} containers are left`);
}
process.stdout.write(grown.length === 0 ? "no growth\n" : `${grown.join("\n")}\n`);
process.exitCode = grown.length === 0 ? 0 : 1;
