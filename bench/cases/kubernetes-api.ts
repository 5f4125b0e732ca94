import { type FileHandle, open } from "node:fs/promises";
import type { ClientHttp2Session } from "node:http2";
import { setTimeout as delay } from "node:timers/promises";
import { openEtcdStore, type Store } from "@boxship/store";
import { etcdProgram, manyCrd, startEtcd } from "@boxship/testkit";
import type { Context } from "../context.ts";
import type { Benchmark, Side } from "../harness.ts";
import {
  type Cluster,
  CONNECTIONS,
  call,
  object,
  PATH,
  percentile,
  processorTimeOf,
  residentOf,
  share,
  startCluster,
  VALUE,
} from "../kubernetes-cluster.ts";
import { getBenchmark } from "./kubernetes-get.ts";
import { kubernetesWatchBenchmarks } from "./kubernetes-watch.ts";

/** Long enough for a timer that comes every ten seconds to show. */
const IDLE_MS = 20_000;

interface Load {
  readonly name: string;
  readonly title: string;
  readonly clients: number;
  readonly total: number;
  /** At most, of etcd's own time for as many puts: on SQLite, and on etcd; absent: it is only measured. */
  readonly atMost?: readonly [sqlite: number, etcd: number];
  /** Milliseconds that the slowest hundredth may take, on SQLite. */
  readonly slowest?: number;
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

const get = (session: ClientHttp2Session, _: number, index: number): Promise<number> =>
  call(session, "GET", `${PATH}/kept-${index % 100}`);

/**
 * With 32 clients upstream made 0.11 creates, 0.09 updates and 0.24 gets for each put of etcd; three times as much is to be
 * reached on SQLite, and twice as much on etcd.
 */
const LOADS: readonly Load[] = [
  { name: "kube-create-1", title: "200 creates, one client", clients: 1, total: 200, slowest: 8, one: create },
  { name: "kube-create-32", title: "2,000 creates, 32 clients", clients: 32, total: 2000, atMost: [3, 4], one: create },
  { name: "kube-update-1", title: "200 updates, one client", clients: 1, total: 200, prepare: keep, one: put },
  {
    name: "kube-update-32",
    title: "2,000 updates, 32 clients",
    clients: 32,
    total: 2000,
    atMost: [3, 4],
    prepare: keep,
    one: put,
  },
  { name: "kube-get-1", title: "500 gets, one client", clients: 1, total: 500, prepare: keep, one: get },
  {
    name: "kube-get-32",
    title: "4,000 gets, 32 clients",
    clients: 32,
    total: 4000,
    atMost: [1.4, 2.1],
    prepare: keep,
    one: get,
  },
];

/** A load on one cluster: how long all of it takes, and then how long its halves and its slowest hundredth took. */
function loadSides(name: string, cluster: Cluster, { clients, total, one }: Load): Side[] {
  let round = 0;
  let times: number[] = [];
  const all = async (): Promise<number> => {
    const now = round++;
    times = [];
    return await share(clients, total, async (client, index) => {
      const started = performance.now();
      await one(cluster.sessions[client % CONNECTIONS] as ClientHttp2Session, now, index);
      times.push(performance.now() - started);
    });
  };
  return [
    { name, measure: all },
    { name: `${name} p50`, measure: async () => percentile(times, 0.5) },
    { name: `${name} p99`, measure: async () => percentile(times, 0.99) },
  ];
}

/** What the disk itself takes to keep as much, one after the other: a write and its fdatasync. */
function diskSides(file: FileHandle, total: number): Side[] {
  const value = Buffer.from(object("disk"));
  let times: number[] = [];
  const all = async (): Promise<number> => {
    times = [];
    return await share(1, total, async () => {
      const started = performance.now();
      await file.write(value);
      await file.datasync();
      times.push(performance.now() - started);
    });
  };
  return [
    { name: "disk", measure: all },
    { name: "disk p50", measure: async () => percentile(times, 0.5) },
    { name: "disk p99", measure: async () => percentile(times, 0.99) },
  ];
}

const loadBenchmarks = LOADS.map(
  (load): Benchmark<Context> => ({
    name: load.name,
    title: `${load.title}: objects of 1 KiB over HTTPS, beside etcd's own puts`,
    unit: "ms",
    rounds: 5,
    warmUp: 1,
    targets: [
      ...(load.slowest === undefined ? [] : [{ side: "boxship p99", atMost: load.slowest }]),
      ...(load.atMost ?? []).map((atMost, at) => ({
        side: at === 0 ? "boxship" : "boxship on etcd",
        against: "etcd put",
        atMost,
      })),
    ],
    async prepare(context, stack) {
      const cluster = stack.use(await startCluster(context.work.join(load.name)));
      await load.prepare?.(cluster);
      const sides = loadSides("boxship", cluster, load);
      if (load.slowest !== undefined) {
        const file = stack.use(await open(context.work.join(`${load.name}.log`), "w"));
        sides.push(...diskSides(file, load.total));
      }
      if (etcdProgram("current") === undefined) return sides;
      const etcd = stack.use(await startEtcd({ release: "current" }));
      const flags = ["--store", "etcd", "--etcd-endpoints", etcd.endpoints.join(",")];
      const remote = stack.use(await startCluster(context.work.join(`${load.name}-etcd`), flags));
      await load.prepare?.(remote);
      const store: Store = stack.use(await openEtcdStore({ endpoints: etcd.endpoints }));
      const value = Buffer.from(object("put"));
      let puts = 0;
      const measure = (): Promise<number> => {
        const now = puts++;
        return share(load.clients, load.total, (_, index) =>
          store.transact({ success: [{ kind: "put", key: `/bench/${now}-${index}`, value }] }),
        );
      };
      return [...sides, ...loadSides("boxship on etcd", remote, load), { name: "etcd put", measure }];
    },
  }),
);

const fill = async ({ sessions }: Cluster, count: number): Promise<void> => {
  await share(32, count, (client, index) =>
    call(sessions[client % CONNECTIONS] as ClientHttp2Session, "POST", PATH, object(`listed-${index}`)),
  );
};

const lists: readonly (readonly [name: string, count: number, atMost?: number])[] = [
  ["kube-list", 10_000, 100],
  ["kube-list-100k", 100_000],
];

const listBenchmarks = lists.map(
  ([name, count, atMost]): Benchmark<Context> => ({
    name,
    title: `list of ${count.toLocaleString("en")} ConfigMaps of 1 KiB over HTTPS; then the process's memory`,
    unit: "ms",
    rounds: count > 10_000 ? 3 : 7,
    warmUp: 1,
    ...(atMost === undefined ? {} : { targets: [{ side: "boxship", atMost }] }),
    async prepare(context, stack) {
      const cluster = stack.use(await startCluster(context.work.join(name)));
      await fill(cluster, count);
      const measure = async (): Promise<number> => {
        const started = performance.now();
        const size = await call(cluster.sessions[0] as ClientHttp2Session, "GET", PATH);
        if (size < count * 1000) throw new Error(`a list of ${size} bytes`);
        return performance.now() - started;
      };
      return [
        { name: "boxship", measure },
        { name: "MB resident", measure: () => residentOf(cluster.pid) },
      ];
    },
  }),
);

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
      return await residentOf(cluster.pid);
    };
    return [{ name: "boxship", measure }];
  },
};

const definitionsBenchmark: Benchmark<Context> = {
  name: "kube-memory-crds",
  title: "resident memory of a cluster's process with 300 custom resource definitions, after a discovery of all",
  unit: "MB",
  rounds: 2,
  warmUp: 0,
  async prepare(context) {
    const root = context.work.join("kube-memory-crds");
    {
      await using cluster = await startCluster(root);
      const path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
      await share(8, 300, (client, index) =>
        call(
          cluster.sessions[client % CONNECTIONS] as ClientHttp2Session,
          "POST",
          path,
          JSON.stringify(manyCrd(index)),
        ),
      );
    }
    const measure = async (): Promise<number> => {
      await using cluster = await startCluster(root);
      const [session] = cluster.sessions;
      if (session === undefined) throw new Error("no connection");
      for (let group = 0; group < 30; group++) await call(session, "GET", `/apis/g${group}.many.example.com/v1`);
      await call(session, "GET", "/openapi/v2");
      return await residentOf(cluster.pid);
    };
    return [{ name: "boxship", measure }];
  },
};

const idleBenchmark: Benchmark<Context> = {
  name: "kube-cpu-idle",
  title: "processor time of an empty cluster's process when nothing is asked",
  unit: "% of a core",
  rounds: 2,
  warmUp: 0,
  targets: [{ side: "boxship", atMost: 0.3 }],
  async prepare(context, stack) {
    const cluster = stack.use(await startCluster(context.work.join("kube-cpu-idle")));
    await delay(5000);
    const measure = async (): Promise<number> => {
      const before = await processorTimeOf(cluster.pid);
      await delay(IDLE_MS);
      return (((await processorTimeOf(cluster.pid)) - before) / IDLE_MS) * 100;
    };
    return [{ name: "boxship", measure }];
  },
};

export const kubernetesBenchmarks: readonly Benchmark<Context>[] = [
  startBenchmark,
  memoryBenchmark,
  definitionsBenchmark,
  idleBenchmark,
  ...loadBenchmarks,
  getBenchmark,
  ...listBenchmarks,
  ...kubernetesWatchBenchmarks,
];
