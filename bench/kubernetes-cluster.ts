import { spawn } from "node:child_process";
import { once } from "node:events";
import { realpathSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { type ClientHttp2Session, connect } from "node:http2";
import { join } from "node:path";
import { repositoryRoot } from "@boxship/testkit";

export const PATH = "/api/v1/namespaces/default/configmaps";
export const VALUE = "x".repeat(1024);
export const CONNECTIONS = 4;

export interface Cluster extends AsyncDisposable {
  readonly pid: number;
  /** From the start of the process until it serves. */
  readonly startMilliseconds: number;
  readonly sessions: readonly ClientHttp2Session[];
  readonly server: string;
  readonly kubeconfig: string;
  /** What the administrator connects with. */
  readonly tls: Tls;
}

export interface Tls {
  readonly ca: Buffer;
  readonly cert: Buffer;
  readonly key: Buffer;
}

/** Where a cluster is and what its administrator connects with, as its kubeconfig says. */
export async function knownBy(kubeconfig: string): Promise<{ readonly server: string; readonly tls: Tls }> {
  const config = JSON.parse(await readFile(kubeconfig, "utf8")) as {
    clusters: [{ cluster: Record<string, string> }];
    users: [{ user: Record<string, string> }];
  };
  const pem = (text: string | undefined): Buffer => Buffer.from(text ?? "", "base64");
  const { cluster } = config.clusters[0];
  const { user } = config.users[0];
  const tls = {
    ca: pem(cluster["certificate-authority-data"]),
    cert: pem(user["client-certificate-data"]),
    key: pem(user["client-key-data"]),
  };
  return { server: cluster["server"] ?? "", tls };
}

/** A cluster of the built bundle, and connections of its administrator. @param store flags that say where its state is */
export async function startCluster(root: string, store: readonly string[] = []): Promise<Cluster> {
  // The real path: a build from which something runs stays on disk.
  const bundle = realpathSync(join(repositoryRoot, "dist/current/boxship.cjs"));
  const flags = ["--name", "bench", "--root", root, "--run-dir", join(root, "run"), "--port", "0", ...store];
  const started = performance.now();
  const child = spawn(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", bundle, "cluster-process", ...flags],
    {
      stdio: ["ignore", "ignore", "ignore", "ipc"],
    },
  );
  const [ready] = (await once(child, "message")) as [{ server: string; kubeconfig: string; failed?: string }];
  if (ready.failed !== undefined) throw new Error(ready.failed);
  const startMilliseconds = performance.now() - started;
  const { tls } = await knownBy(ready.kubeconfig);
  const sessions = Array.from({ length: CONNECTIONS }, () => connect(ready.server, tls));
  return {
    pid: child.pid ?? 0,
    startMilliseconds,
    sessions,
    server: ready.server,
    kubeconfig: ready.kubeconfig,
    tls,
    async [Symbol.asyncDispose]() {
      for (const session of sessions) session.destroy();
      if (child.exitCode !== null) return;
      child.kill("SIGTERM");
      await once(child, "exit");
    },
  };
}

export async function call(session: ClientHttp2Session, method: string, path: string, body?: string): Promise<number> {
  const stream = session.request({ ":method": method, ":path": path, "content-type": "application/json" });
  stream.end(body);
  let size = 0;
  let status = 0;
  stream.on("response", (headers) => (status = headers[":status"] ?? 0));
  for await (const chunk of stream as AsyncIterable<Buffer>) size += chunk.length;
  if (status >= 300 || status === 0) throw new Error(`${method} ${path}: ${status}`);
  return size;
}

/** Milliseconds of `total` calls, shared by clients that wait for each answer. */
export async function share(clients: number, total: number, one: (client: number, index: number) => Promise<unknown>) {
  const started = performance.now();
  let next = 0;
  const work = async (client: number): Promise<void> => {
    for (let index = next++; index < total; index = next++) await one(client, index);
  };
  await Promise.all(Array.from({ length: clients }, (_, client) => work(client)));
  return performance.now() - started;
}

export const object = (name: string, value = VALUE): string => JSON.stringify({ metadata: { name }, data: { value } });

/** The part of a list of times that is below. */
export function percentile(times: readonly number[], part: number): number {
  const sorted = times.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;
}

/** Resident memory of a process, MB. */
export async function residentOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return (Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) * 1024) / 1e6;
}

/** Milliseconds of processor time since a process started. */
export async function processorTimeOf(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10;
}
