import { type ClientHttp2Session, connect } from "node:http2";
import { setTimeout as delay } from "node:timers/promises";
import { etcdProgram, startEtcd } from "@boxship/testkit";
import type { Context } from "../context.ts";
import type { Benchmark, Side } from "../harness.ts";
import { type Cluster, call, object, PATH, percentile, startCluster, VALUE } from "../kubernetes-cluster.ts";

const UPDATES = 1000;
/** Watches of one connection, as controllers have them. */
const PER_CONNECTION = 100;
/** Updates that are on their way at a time. */
const WRITERS = 4;

/** Events a second that upstream told 100 watchers, with a p99 of 280 ms. */
const UPSTREAM_RATE = 12_400;
/** Updates of the run that is paced to three times that. */
const PACED = 300;

const MARK = Buffer.from('"at":"');

/** Watches of one resource, and how late they were told of each change. */
class Watchers implements AsyncDisposable {
  readonly delays: number[] = [];
  received = 0;
  readonly #sessions: ClientHttp2Session[] = [];
  #wake: () => void = () => {};

  async open(cluster: Cluster, count: number, from: string): Promise<void> {
    const ready: Promise<void>[] = [];
    for (let index = 0; index < count; index++) {
      if (index % PER_CONNECTION === 0) this.#sessions.push(connect(cluster.server, cluster.tls));
      const stream = (this.#sessions.at(-1) as ClientHttp2Session).request({
        ":path": `${PATH}?watch=1&resourceVersion=${from}`,
      });
      ready.push(new Promise((resolve) => stream.once("response", () => resolve())));
      stream.on("data", (chunk: Buffer) => this.#take(chunk));
    }
    await Promise.all(ready);
  }

  /** An event's time stands in its object; a chunk seldom cuts one in two, and such an event has no delay of its own. */
  #take(chunk: Buffer): void {
    const now = performance.now();
    for (let at = chunk.indexOf(MARK); at >= 0; at = chunk.indexOf(MARK, at + 1)) {
      const sent = Number.parseFloat(chunk.toString("latin1", at + MARK.length, at + MARK.length + 16));
      if (sent > 0) this.delays.push(now - sent);
    }
    for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) this.received++;
    this.#wake();
  }

  async until(events: number): Promise<void> {
    while (this.received < events) await new Promise<void>((resolve) => (this.#wake = resolve));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const session of this.#sessions) session.destroy();
  }
}

function watchSides(name: string, cluster: Cluster, watchers: number): Side[] {
  const [writer] = cluster.sessions;
  if (writer === undefined) throw new Error("no connection");
  const update = async (): Promise<void> => {
    const at = performance.now().toFixed(3).padStart(16, "0");
    const body = JSON.stringify({ metadata: { name: "watched" }, data: { at, value: VALUE } });
    await call(writer, "PUT", `${PATH}/watched`, body);
  };
  const watched = async (updates: number, write: () => Promise<void>): Promise<readonly number[]> => {
    const config = object("watched");
    await call(writer, "POST", PATH, config).catch(() => call(writer, "PUT", `${PATH}/watched`, config));
    await using watching = new Watchers();
    await watching.open(cluster, watchers, "0");
    // What is there is told first.
    await watching.until(watchers);
    watching.received = 0;
    const started = performance.now();
    await write();
    await watching.until(updates * watchers);
    return [performance.now() - started, ...watching.delays];
  };
  const asFastAsPossible = async (): Promise<number> => {
    let left = UPDATES;
    const write = async (): Promise<void> => {
      while (left-- > 0) await update();
    };
    const many = async (): Promise<void> => void (await Promise.all(Array.from({ length: WRITERS }, write)));
    const [all = 0] = await watched(UPDATES, many);
    return all;
  };
  let delays: readonly number[] = [];
  const paced = async (): Promise<number> => {
    const pause = (1000 * watchers) / (3 * UPSTREAM_RATE);
    const write = async (): Promise<void> => {
      const started = performance.now();
      for (let index = 0; index < PACED; index++) {
        await delay(Math.max(0, started + index * pause - performance.now()));
        await update();
      }
    };
    [, ...delays] = await watched(PACED, write);
    return percentile(delays, 0.5);
  };
  return [
    { name, measure: asFastAsPossible },
    { name: `${name} p50 at 37,200 events/s`, measure: paced },
    { name: `${name} p99`, measure: async () => percentile(delays, 0.99) },
  ];
}

const WATCHES: readonly (readonly [watchers: number, rounds: number])[] = [
  [100, 3],
  [1000, 1],
];

export const kubernetesWatchBenchmarks = WATCHES.map(
  ([watchers, rounds]): Benchmark<Context> => ({
    name: `kube-watch-${watchers}`,
    title: `${watchers.toLocaleString("en")} watchers of 1,000 updates of 1 KiB, and how late they were told`,
    unit: "ms",
    rounds,
    warmUp: watchers > 100 ? 0 : 1,
    targets: [
      { side: "boxship", atMost: (1000 * watchers * UPDATES) / (3 * UPSTREAM_RATE) },
      { side: "boxship p99", atMost: 100 },
    ],
    async prepare(context, stack) {
      const name = `kube-watch-${watchers}`;
      const sides = watchSides("boxship", stack.use(await startCluster(context.work.join(name))), watchers);
      if (etcdProgram("current") === undefined || watchers > 100) return sides;
      const etcd = stack.use(await startEtcd({ release: "current" }));
      const flags = ["--store", "etcd", "--etcd-endpoints", etcd.endpoints.join(",")];
      return [
        ...sides,
        ...watchSides(
          "boxship on etcd",
          stack.use(await startCluster(context.work.join(`${name}-etcd`), flags)),
          watchers,
        ),
      ];
    },
  }),
);
