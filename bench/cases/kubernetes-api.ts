import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { type ClientHttp2Session, connect } from "node:http2";
import { join } from "node:path";
import { openEtcdStore, type Store } from "@boxship/store";
import { etcdProgram, repositoryRoot, startEtcd } from "@boxship/testkit";
import type { Context } from "../context.ts";
import type { Benchmark, Side } from "../harness.ts";

const PATH = "/api/v1/namespaces/default/configmaps";
const VALUE = "x".repeat(1024);
const CONNECTIONS = 4;

interface Cluster extends AsyncDisposable {
  readonly pid: number;
  /** From the start of the process until it serves. */
  readonly startMilliseconds: number;
  readonly sessions: readonly ClientHttp2Session[];
}

/** A cluster of the built bundle, and connections of its administrator. */
async function startCluster(root: string): Promise<Cluster> {
  const bundle = join(repositoryRoot, "dist/current/boxship.cjs");
  const flags = ["--name", "bench", "--root", root, "--run-dir", join(root, "run"), "--port", "0"];
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
  const config = JSON.parse(await readFile(ready.kubeconfig, "utf8")) as {
    clusters: [{ cluster: Record<string, string> }];
    users: [{ user: Record<string, string> }];
  };
  const pem = (text: string | undefined): Buffer => Buffer.from(text ?? "", "base64");
  const { user } = config.users[0];
  const tls = {
    ca: pem(config.clusters[0].cluster["certificate-authority-data"]),
    cert: pem(user["client-certificate-data"]),
    key: pem(user["client-key-data"]),
  };
  const sessions = Array.from({ length: CONNECTIONS }, () => connect(ready.server, tls));
  return {
    pid: child.pid ?? 0,
    startMilliseconds,
    sessions,
    async [Symbol.asyncDispose]() {
      for (const session of sessions) session.destroy();
      if (child.exitCode !== null) return;
      child.kill("SIGTERM");
      await once(child, "exit");
    },
  };
}

async function call(session: ClientHttp2Session, method: string, path: string, body?: string): Promise<number> {
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
async function share(clients: number, total: number, one: (client: number, index: number) => Promise<unknown>) {
  const started = performance.now();
  let next = 0;
  const work = async (client: number): Promise<void> => {
    for (let index = next++; index < total; index = next++) await one(client, index);
  };
  await Promise.all(Array.from({ length: clients }, (_, client) => work(client)));
  return performance.now() - started;
}

const object = (name: string, value = VALUE): string => JSON.stringify({ metadata: { name }, data: { value } });

interface Load {
  readonly name: string;
  readonly title: string;
  readonly clients: number;
  readonly total: number;
  /** At most, of etcd's own time for as many puts; absent: it is only measured. */
  readonly atMost?: number;
  readonly prepare?: (cluster: Cluster) => Promise<void>;
  readonly one: (session: ClientHttp2Session, round: number, index: number) => Promise<unknown>;
}

const put = (session: ClientHttp2Session, round: number, index: number): Promise<number> =>
  call(session, "PUT", `${PATH}/kept-${index % 100}`, object(`kept-${index % 100}`, `${round}-${index}-${VALUE}`));

const keep = async ({ sessions }: Cluster): Promise<void> => {
  await share(8, 100, (client, index) =>
    call(sessions[client % CONNECTIONS] as ClientHttp2Session, "POST", PATH, object(`kept-${index}`)),
  );
};

const create = (session: ClientHttp2Session, round: number, index: number): Promise<number> =>
  call(session, "POST", PATH, object(`made-${round}-${index}`));

/** With 32 clients upstream made 0.11 creates, 0.09 updates and 0.24 gets for each put of etcd; three times as much is to be reached. */
const LOADS: readonly Load[] = [
  { name: "kube-create-1", title: "200 creates, one client", clients: 1, total: 200, one: create },
  { name: "kube-create-32", title: "2,000 creates, 32 clients", clients: 32, total: 2000, atMost: 3, one: create },
  {
    name: "kube-update-32",
    title: "2,000 updates, 32 clients",
    clients: 32,
    total: 2000,
    atMost: 3,
    prepare: keep,
    one: put,
  },
  {
    name: "kube-get-32",
    title: "4,000 gets, 32 clients",
    clients: 32,
    total: 4000,
    atMost: 1.4,
    prepare: keep,
    one: (session, _, index) => call(session, "GET", `${PATH}/kept-${index % 100}`),
  },
];

const loadBenchmarks = LOADS.map(
  ({ name, title, clients, total, atMost, prepare, one }): Benchmark<Context> => ({
    name,
    title: `${title}: objects of 1 KiB over HTTPS, beside etcd's own puts`,
    unit: "ms",
    rounds: 5,
    warmUp: 1,
    ...(atMost === undefined ? {} : { targets: [{ side: "boxship", against: "etcd put", atMost }] }),
    async prepare(context, stack) {
      const cluster = stack.use(await startCluster(context.work.join(name)));
      await prepare?.(cluster);
      let round = 0;
      const sides: Side[] = [
        {
          name: "boxship",
          measure: () => {
            const now = round++;
            return share(clients, total, (client, index) =>
              one(cluster.sessions[client % CONNECTIONS] as ClientHttp2Session, now, index),
            );
          },
        },
      ];
      if (etcdProgram("current") !== undefined) {
        const etcd = stack.use(await startEtcd({ release: "current" }));
        const store: Store = stack.use(await openEtcdStore({ endpoints: etcd.endpoints }));
        const value = Buffer.from(object("put"));
        let puts = 0;
        sides.push({
          name: "etcd put",
          measure: () => {
            const now = puts++;
            return share(clients, total, (_, index) =>
              store.transact({ success: [{ kind: "put", key: `/bench/${now}-${index}`, value }] }),
            );
          },
        });
      }
      return sides;
    },
  }),
);

const listBenchmark: Benchmark<Context> = {
  name: "kube-list",
  title: "list of 10,000 ConfigMaps of 1 KiB over HTTPS",
  unit: "ms",
  rounds: 7,
  warmUp: 1,
  targets: [{ side: "boxship", atMost: 100 }],
  async prepare(context, stack) {
    const { sessions } = stack.use(await startCluster(context.work.join("kube-list")));
    await share(32, 10_000, (client, index) =>
      call(sessions[client % CONNECTIONS] as ClientHttp2Session, "POST", PATH, object(`listed-${index}`)),
    );
    const measure = async (): Promise<number> => {
      const started = performance.now();
      const size = await call(sessions[0] as ClientHttp2Session, "GET", PATH);
      if (size < 10_000_000) throw new Error(`a list of ${size} bytes`);
      return performance.now() - started;
    };
    return [{ name: "boxship", measure }];
  },
};

const startBenchmark: Benchmark<Context> = {
  name: "kube-start",
  title: "a cluster's process, from its start until it serves",
  unit: "ms",
  rounds: 5,
  warmUp: 1,
  targets: [{ side: "boxship", atMost: 400 }],
  async prepare(context) {
    const root = context.work.join("kube-start");
    // The first start makes certificates.
    await (await startCluster(root))[Symbol.asyncDispose]();
    const measure = async (): Promise<number> => {
      await using cluster = await startCluster(root);
      return cluster.startMilliseconds;
    };
    return [{ name: "boxship", measure }];
  },
};

const memoryBenchmark: Benchmark<Context> = {
  name: "kube-memory",
  title: "resident memory of an empty cluster's process",
  unit: "MB",
  rounds: 3,
  warmUp: 0,
  targets: [{ side: "boxship", atMost: 110 }],
  async prepare(context) {
    const root = context.work.join("kube-memory");
    await (await startCluster(root))[Symbol.asyncDispose]();
    const measure = async (): Promise<number> => {
      await using cluster = await startCluster(root);
      await call(cluster.sessions[0] as ClientHttp2Session, "GET", PATH);
      const status = await readFile(`/proc/${cluster.pid}/status`, "utf8");
      return (Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) * 1024) / 1e6;
    };
    return [{ name: "boxship", measure }];
  },
};

export const kubernetesBenchmarks: readonly Benchmark<Context>[] = [
  startBenchmark,
  memoryBenchmark,
  ...loadBenchmarks,
  listBenchmark,
];
