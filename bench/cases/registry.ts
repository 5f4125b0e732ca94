import { type ChildProcess, spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { repositoryRoot, runProgram, startRegistry, tempDir } from "@boxship/testkit";
import { type Context, commandLine } from "../context.ts";
import type { Benchmark, Side } from "../harness.ts";

/** A registry that is measured. */
interface Server {
  readonly name: string;
  readonly url: string;
  readonly pid: number;
}

/** Our registry as users start it, and the stock one. */
async function servers(stack: AsyncDisposableStack): Promise<readonly Server[]> {
  const directory = stack.use(tempDir("bench-registry"));
  const [program, ...before] = commandLine();
  const flags = ["registry", "serve", "--root", directory.path, "--listen", "127.0.0.1:0"];
  const child: ChildProcess = spawn(program, [...before, ...flags], { stdio: ["ignore", "pipe", "inherit"] });
  stack.defer(async () => {
    child.kill("SIGKILL");
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  });
  const [line] = (await once(child.stdout ?? child, "data")) as [Buffer];
  const url = /http:\S+/.exec(line.toString())?.[0] ?? "";
  const stock = stack.use(await startRegistry());
  return [
    { name: "boxship", url, pid: child.pid ?? 0 },
    { name: "docker-registry", url: stock.url, pid: stock.pid },
  ];
}

interface Job {
  readonly total: number;
  readonly paths: readonly string[];
  readonly bodies?: readonly { readonly digest: string; readonly size: number; readonly fill: string }[];
}

/** @returns milliseconds for all of it, by 32 clients in a process of their own */
async function load({ url }: Server, job: Job): Promise<number> {
  const script = join(repositoryRoot, "bench/registry-load.mjs");
  const input = JSON.stringify({ origin: url, ...job });
  const { status, stdout, stderr } = await runProgram([process.execPath, script], { input });
  if (status !== 0) throw new Error(stderr);
  return Number(stdout);
}

const sha256 = (bytes: Uint8Array | string) => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

async function pushBlob({ url }: Server, bytes: Uint8Array): Promise<string> {
  const begun = await fetch(`${url}/v2/bench/load/blobs/uploads/`, { method: "POST" });
  const location = new URL(begun.headers.get("location") ?? "", url);
  location.searchParams.set("digest", sha256(bytes));
  const headers = { "content-type": "application/octet-stream" };
  const done = await fetch(location, { method: "PUT", body: Buffer.from(bytes), headers });
  if (done.status !== 201) throw new Error(`push to ${url}: ${done.status}`);
  return `/v2/bench/load/blobs/${sha256(bytes)}`;
}

async function pushBlobs(server: Server, count: number, size: number): Promise<readonly string[]> {
  return Promise.all(Array.from({ length: count }, () => pushBlob(server, randomBytes(size))));
}

async function pushManifest(server: Server): Promise<readonly string[]> {
  await pushBlob(server, Buffer.from("{}"));
  const mediaType = "application/vnd.oci.image.manifest.v1+json";
  const config = { mediaType: "application/vnd.oci.image.config.v1+json", digest: sha256("{}"), size: 2 };
  const body = JSON.stringify({ schemaVersion: 2, mediaType, config, layers: [] });
  const path = "/v2/bench/load/manifests/v1";
  const put = await fetch(server.url + path, { method: "PUT", body, headers: { "content-type": mediaType } });
  if (put.status !== 201) throw new Error(`push of a manifest to ${server.url}: ${put.status}`);
  return [path];
}

/** The same blobs again would be no work. */
function newBlobs(count: number, size: number): NonNullable<Job["bodies"]> {
  return Array.from({ length: count }, () => {
    const fill = randomBytes(16).toString("hex");
    return { size, fill, digest: sha256(Buffer.alloc(size, fill)) };
  });
}

function pulling(name: string, what: string, total: number, seed: (server: Server) => Promise<readonly string[]>) {
  return rows(name, `${total} pulls of ${what} by 32 clients`, async (server) => {
    const paths = await seed(server);
    return () => load(server, { total, paths });
  });
}

function pushing(name: string, what: string, total: number, size: number): Benchmark<Context> {
  return rows(name, `${total} pushes of ${what} by 32 clients, each synced to the disk by ours alone`, (server) =>
    Promise.resolve(() => load(server, { total, paths: ["bench/load"], bodies: newBlobs(total, size) })),
  );
}

function rows(
  name: string,
  title: string,
  prepareSide: (server: Server) => Promise<() => Promise<number>>,
): Benchmark<Context> {
  return {
    name,
    title,
    unit: "ms",
    rounds: 5,
    warmUp: 1,
    targets: [{ side: "boxship", against: "docker-registry", atMost: 1 }],
    async prepare(_context, stack): Promise<readonly Side[]> {
      const sides = (await servers(stack)).map(async (server) => ({
        name: server.name,
        measure: await prepareSide(server),
      }));
      return await Promise.all(sides);
    },
  };
}

const memory: Benchmark<Context> = {
  name: "registry-memory",
  title: "most memory of a registry while 32 clients pull and push blobs of 1 MB",
  unit: "MB",
  rounds: 3,
  warmUp: 0,
  targets: [{ side: "boxship", against: "docker-registry", atMost: 1 }],
  async prepare(_context, stack) {
    return (await servers(stack)).map((server): Side => {
      return {
        name: server.name,
        measure: async () => {
          const paths = await pushBlobs(server, 16, 1 << 20);
          await load(server, { total: 500, paths });
          await load(server, { total: 100, paths: ["bench/load"], bodies: newBlobs(100, 1 << 20) });
          return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${server.pid}/status`, "utf8"))?.[1]) / 1024;
        },
      };
    });
  },
};

export const registryBenchmarks: readonly Benchmark<Context>[] = [
  pulling("registry-pull-4k", "4 KB", 3000, (server) => pushBlobs(server, 64, 4096)),
  pulling("registry-pull-1m", "1 MB", 500, (server) => pushBlobs(server, 16, 1 << 20)),
  pulling("registry-manifest", "a manifest", 3000, pushManifest),
  pushing("registry-push-4k", "4 KB", 500, 4096),
  pushing("registry-push-1m", "1 MB", 100, 1 << 20),
  pulling("registry-pull-500m", "50 MB", 10, (server) => pushBlobs(server, 10, 50_000_000)),
  pushing("registry-push-500m", "50 MB", 10, 50_000_000),
  pulling("registry-pull-40", "20 kB (the layers of an image)", 40, (server) => pushBlobs(server, 40, 20_000)),
  pushing("registry-push-40", "20 kB (the layers of an image)", 40, 20_000),
  memory,
];
