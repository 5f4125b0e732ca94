import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { removeClusterRecord } from "@boxship/base/cluster-record";
import {
  type Cluster,
  etcdProgram,
  kubectl,
  type Ran,
  runProgram,
  startCluster,
  startEtcd,
  type TestEtcd,
} from "@boxship/testkit";

const ROUNDS = Number(process.env["BOXSHIP_POD_KILLS"] ?? 0);
const soak = ROUNDS > 0 ? false : "a soak: BOXSHIP_POD_KILLS says how often something is killed";
const skip = kubectl("", "") === undefined ? "kubectl cannot be had here" : soak;
/** In etcd the store is a process of its own, and killed as well. */
const IN_ETCD = process.env["BOXSHIP_POD_STORE"] === "etcd" && etcdProgram() !== undefined;
const SEED = Number(process.env["BOXSHIP_POD_SEED"] ?? Date.now() % 1_000_000);

const KEPT = `
apiVersion: v1
kind: ConfigMap
metadata: {name: conf}
data: {color: blue}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: steady}
spec:
  replicas: 2
  selector: {matchLabels: {app: steady}}
  template:
    metadata: {labels: {app: steady}}
    spec:
      terminationGracePeriodSeconds: 0
      containers: [{name: c, image: "busybox:latest", imagePullPolicy: Never, command: [sh, -c, "mkdir /www; echo served > /www/index.html; exec httpd -f -p 8080 -h /www"]}]
---
apiVersion: v1
kind: Service
metadata: {name: steady}
spec: {selector: {app: steady}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: v1
kind: Pod
metadata: {name: counter}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: c
    image: busybox:latest
    imagePullPolicy: Never
    command: [sh, -c, "echo started >> /data/starts; until [ -e /data/end ]; do sleep 0.05; done; rm /data/end"]
    volumeMounts: [{name: data, mountPath: /data}]
  volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]
`;

/** Each round's pods take the same ports of the host, and wait until those of the round before are gone. */
const HOST_PORT = 20_000 + (SEED % 9_000);

const passing = (round: number): string =>
  [0, 1, 2]
    .map(
      (at) => `
---
apiVersion: v1
kind: Pod
metadata: {name: p${round}-${at}, labels: {round: "${round}"}}
spec:
  terminationGracePeriodSeconds: 1
  shareProcessNamespace: ${at === 2}
  containers:
  - name: c
    image: busybox:latest
    imagePullPolicy: Never
    ports: [{containerPort: 80, hostPort: ${HOST_PORT + at}}]
    command: [sh, -c, "trap 'exit 0' TERM; while :; do sleep 0.1; done"]
    volumeMounts: [{name: work, mountPath: /work}, {name: work, mountPath: /part, subPath: a/b}, {name: memory, mountPath: /memory}, {name: conf, mountPath: /conf}]
  volumes:
  - {name: work, emptyDir: {}}
  - {name: memory, emptyDir: {medium: Memory}}
  - {name: conf, projected: {sources: [{configMap: {name: conf}}, {downwardAPI: {items: [{path: name, fieldRef: {fieldPath: metadata.name}}]}}]}}
`,
    )
    .join("");

/** Numbers from 0 to below 1, the same for the same seed. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Processes in whose command line all the words are. */
function processesOf(...words: readonly string[]): readonly number[] {
  return readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const line = readFileSync(`/proc/${name}/cmdline`, "utf8");
      return words.every((word) => line.includes(word)) ? [Number(name)] : [];
    } catch {
      return [];
    }
  });
}

type Kind = "daemon" | "cluster" | "both" | "monitor" | "runtime" | "store";
const KINDS: readonly Kind[] = [
  "daemon",
  "cluster",
  "both",
  "monitor",
  "runtime",
  ...(IN_ETCD ? ["store" as const] : []),
];

async function startEngine({ engine }: Cluster): Promise<void> {
  // It would start a cluster that is meant to be up itself, and not as the test's child.
  await removeClusterRecord(`${engine.root}/cluster`);
  await engine.start();
}

function killAll(pids: readonly number[]): void {
  for (const pid of pids) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It has ended.
    }
  }
}

/** Kills something of it, and starts again what does not come back by itself. */
async function strike(cluster: Cluster, store: TestEtcd | undefined, kind: Kind, round: number): Promise<void> {
  const { engine } = cluster;
  switch (kind) {
    case "daemon":
      await engine.crash();
      await startEngine(cluster);
      return;
    case "cluster":
      await cluster.end("SIGKILL");
      await cluster.start();
      return;
    case "both":
      await cluster.crash();
      return;
    case "store": {
      const [member] = store?.members ?? [];
      member?.kill("SIGKILL");
      await member?.ended();
      await member?.start();
      return;
    }
    case "monitor": {
      const found = await engine.client.json<{ Id: string }[]>(
        "GET",
        `/containers/json?filters=${encodeURIComponent(JSON.stringify({ label: [`io.kubernetes.pod.name=p${round}-0`] }))}`,
      );
      for (const { Id } of found) killAll(processesOf("conmon", Id));
      return;
    }
    case "runtime":
      for (let tries = 0; tries < 40; tries++) {
        const found = ["crun", "runc"]
          .flatMap((name) => processesOf(name, `${engine.runDir}/runtime`))
          .filter(isRuntime);
        if (found.length > 0) return killAll(found);
        await delay(5);
      }
  }
}

function isRuntime(pid: number): boolean {
  try {
    return /^(crun|runc)/.test(readFileSync(`/proc/${pid}/comm`, "utf8"));
  } catch {
    return false;
  }
}

/** Asks for a page again and again, each time on a new connection. */
class Visitor {
  readonly #url: string;
  readonly #failures: string[] = [];
  #visits = 0;
  #going = true;
  readonly #done: Promise<void>;

  constructor(url: string) {
    this.#url = url;
    this.#done = this.#visit();
  }

  async #visit(): Promise<void> {
    while (this.#going) {
      try {
        const response = await fetch(this.#url, { headers: { connection: "close" } });
        const text = await response.text();
        if (text !== "served\n") this.#failures.push(`${response.status} ${text}`);
      } catch (error) {
        this.#failures.push(String((error as Error).cause ?? error));
      }
      this.#visits++;
      await delay(50);
    }
  }

  get visits(): number {
    return this.#visits;
  }

  get failures(): readonly string[] {
    return this.#failures;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#going = false;
    await this.#done;
  }
}

/** What an instance has in the kernel and on the disk for pods and services, by kind, without what chance gives. */
async function standing({ engine }: Cluster): Promise<Readonly<Record<string, unknown>>> {
  const count = (path: string) => namesIn(path).length;
  const table = async (name: string) => {
    const { stdout } = await runProgram(["nft", "-s", "list", "table", "inet", `${engine.name}-${name}`]);
    // The ports of the cluster's own process are others each time.
    return stdout
      .replace(/\b127\.0\.0\.1 \. \d+/g, "127.0.0.1")
      .split("\n")
      .sort();
  };
  const groups = readdirSync("/sys/fs/cgroup").flatMap((controller) =>
    namesIn(`/sys/fs/cgroup/${controller}/${engine.name}`).filter((path) => statSync(path).isDirectory()),
  );
  return {
    links: readdirSync("/sys/class/net").filter((name) => name.startsWith(engine.name)).length,
    namespaces: count(`${engine.runDir}/network/netns`),
    sandboxes: count(`${engine.runDir}/network/sandboxes`),
    network: await table("net"),
    services: await table("svc"),
    snapshots: count(`${engine.root}/snapshots/containers`),
    trash: count(`${engine.root}/snapshots/trash`),
    records: count(`${engine.root}/containers`),
    monitored: ["containers", "execs", "exits", "state/crun", "state/runc"].map((name) =>
      count(`${engine.runDir}/runtime/${name}`),
    ),
    groups: groups.sort(),
  };
}

/** What is seen of a cluster at the moment at which a round has failed: afterwards nothing of it is there. */
async function showState({ engine, tried }: Cluster): Promise<void> {
  const text = async (ran: Promise<Ran>): Promise<string> =>
    await ran.then(({ stdout, stderr }) => stdout + stderr, String);
  const ask = (...args: readonly string[]) => text(tried([...args, "--request-timeout=10s"]));
  const lines = [
    await ask("get", "node", "-o", "jsonpath={.items[*].status.conditions}"),
    await ask("get", "pods", "-o", "wide"),
    await ask("get", "pods", "-o", "jsonpath={range .items[*]}{.metadata.name} {.status}{'\\n'}{end}"),
    await ask("get", "endpointslices", "-o", "jsonpath={range .items[*]}{.metadata.name} {.endpoints}{'\\n'}{end}"),
    await ask("get", "events", "-A", "--sort-by=.lastTimestamp"),
    await text(runProgram(["nft", "list", "table", "inet", `${engine.name}-svc`])),
    readFileSync(engine.log, "utf8").split("\n").slice(-200).join("\n"),
  ];
  process.stderr.write(`${new Date().toISOString()}\n${lines.join("\n\n")}\n`);
}

interface PodView {
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> };
  readonly status: {
    readonly podIP?: string;
    readonly containerStatuses?: readonly { readonly containerID?: string; readonly restartCount: number }[];
  };
}

test("pods go on, and nothing is lost, doubled or left, whatever is killed while others come and go", {
  skip,
  timeout: 3_600_000,
}, async (t) => {
  t.diagnostic(`BOXSHIP_POD_SEED=${SEED}`);
  const next = random(SEED);
  await using store = IN_ETCD ? await startEtcd() : undefined;
  const flags = store === undefined ? [] : ["--store", "etcd", "--etcd-endpoints", store.endpoints.join(",")];
  await using cluster = await startCluster({ flags });
  const { apply, engine, field, kube, nodeDirectory, tried, until } = cluster;
  const groups = `/sys/fs/cgroup/memory/${engine.name}/kubepods`;
  const pods = async () => JSON.parse(await kube("get", "pods", "-o", "json")).items as readonly PodView[];
  const steady = async () =>
    (await pods())
      .filter(({ metadata }) => metadata.labels?.["app"] === "steady")
      .map(({ metadata: { name }, status: { containerStatuses: [one] = [] } }) => [
        name,
        one?.containerID,
        one?.restartCount,
      ]);
  await apply(KEPT);
  await kube("rollout", "status", "deployment/steady", "--timeout=120s");
  await kube("wait", "pod/counter", "--for=condition=Ready", "--timeout=120s");
  // Of a container that was started again, the one before is kept for its log: from now on it is always there.
  await kube("exec", "counter", "--", "touch", "/data/end");
  await until("pod/counter", "{.status.containerStatuses[0].restartCount}", "1");
  await kube("wait", "pod/counter", "--for=condition=Ready", "--timeout=120s");
  const before = await steady();
  const atFirst = await standing(cluster);
  const claim = join(`${engine.root}/cluster/volumes`, readdirSync(`${engine.root}/cluster/volumes`)[0] ?? "");

  await using visitor = new Visitor(`http://${await field("service/steady", "{.spec.clusterIP}")}/`);
  let unseen = 0;
  let hasFailed = true;
  await using _shown = { [Symbol.asyncDispose]: async () => (hasFailed ? await showState(cluster) : undefined) };

  for (let round = 0; round < ROUNDS; round++) {
    const kind =
      KINDS[round < KINDS.length && ROUNDS > KINDS.length ? round : Math.floor(next() * KINDS.length)] ?? "both";
    process.stderr.write(`round ${round}: ${kind}\n`);
    const coming = tried(["apply", "-f", "-"], { input: passing(round) });
    const going = round === 0 ? undefined : tried(["delete", "pod", "-l", `round=${round - 1}`, "--wait=false"]);
    const ending = round % 4 === 1 ? tried(["exec", "counter", "--", "touch", "/data/end"]) : undefined;
    await delay(next() * 900);
    await strike(cluster, store, kind, round);
    // Who was answered or not: what was asked for is asked for again.
    await Promise.all([coming, going, ending]);
    await apply(passing(round));
    if (round > 0) await kube("delete", "pod", "-l", `round=${round - 1}`, "--timeout=120s");
    await kube("wait", "pod", "-l", `round=${round}`, "--for=condition=Ready", "--timeout=180s");
    assert.deepEqual(await steady(), before, `round ${round} (${kind}): what ran goes on`);
    assert.deepEqual(
      visitor.failures,
      [],
      `round ${round} (${kind}): the service goes on, in ${visitor.visits} visits`,
    );
    const now = await pods();
    const addresses = now.flatMap(({ status: { podIP } }) => podIP ?? []);
    assert.equal(new Set(addresses).size, addresses.length, `round ${round} (${kind}): ${addresses.join(" ")}`);
    for (const address of now
      .filter(({ metadata }) => metadata.labels?.["app"] === "steady")
      .map(({ status }) => status.podIP))
      assert.equal(await (await fetch(`http://${address}:8080/`)).text(), "served\n");
    const points = readFileSync("/proc/self/mountinfo", "utf8")
      .split("\n")
      .map((line) => line.split(" ")[4] ?? "")
      .filter((point) => point.startsWith(`${nodeDirectory}/pods/`));
    assert.equal(
      new Set(points).size,
      points.length,
      `round ${round} (${kind}): mounted twice: ${points.sort().join("\n")}`,
    );
    // What the container itself has written says how often it was started.
    while (existsSync(`${claim}/end`)) await delay(100);
    const starts = () => readFileSync(`${claim}/starts`, "utf8").split("\n").length - 1;
    const restarts = async () => Number(await field("pod/counter", "{.status.containerStatuses[0].restartCount}"));
    // A start that its runtime did not live to see is one, too.
    if (kind === "runtime") unseen++;
    const isTrue = async () => {
      const surplus = (await restarts()) - (starts() - 1);
      return surplus >= 0 && surplus <= unseen;
    };
    for (let tries = 0; !(await isTrue()); tries++) {
      assert.ok(tries < 300, `round ${round} (${kind}): ${await restarts()} restarts told, ${starts()} starts`);
      await delay(100);
    }
  }

  await kube("delete", "pod", "-l", "round", "--timeout=120s");
  // What is prepared for the next pod may still be on its way.
  for (let tries = 0; !isDeepStrictEqual(await standing(cluster), atFirst); tries++) {
    if (tries === 100) assert.deepEqual(await standing(cluster), atFirst);
    await delay(100);
  }
  hasFailed = false;
  await visitor[Symbol.asyncDispose]();
  t.diagnostic(`${visitor.visits} visits`);
  assert.equal((await tried(["delete", "-f", "-", "--timeout=120s"], { input: KEPT })).status, 0);
  await kube("delete", "pod", "--all", "--timeout=120s");
  await kube("wait", "pod", "--all", "--for=delete", "--timeout=120s");
  const left = async (): Promise<readonly string[]> => [
    ...(await engine.client.json<{ Id: string }[]>("GET", "/containers/json?all=1")).map(({ Id }) => `container ${Id}`),
    ...namesIn(`${nodeDirectory}/pods`),
    ...namesIn(`${nodeDirectory}/logs`),
    ...namesIn(`${engine.root}/cluster/volumes`),
    ...namesIn(`${engine.root}/pods`),
    ...namesIn(`${engine.runDir}/pods`),
    ...(existsSync(groups) ? readdirSync(groups, { recursive: true, encoding: "utf8" }) : []).filter((name) =>
      /(^|\/)pod[0-9a-f-]{36}$/.test(name),
    ),
    ...[...processesOf(`${engine.runDir}/runtime`), ...processesOf(`boxship-pod\0${engine.runDir}/`)].map(
      (pid) => `process ${pid}`,
    ),
    ...readFileSync("/proc/self/mountinfo", "utf8")
      .split("\n")
      .map((line) => line.split(" ")[4] ?? "")
      .filter(
        (point) =>
          point.startsWith(`${nodeDirectory}/pods/`) || (point.endsWith("/merged") && point.startsWith(engine.root)),
      ),
  ];
  for (let tries = 0; (await left()).length > 0; tries++) {
    assert.ok(tries < 100, (await left()).join("\n"));
    await delay(100);
  }
});

const namesIn = (path: string): readonly string[] =>
  existsSync(path) ? readdirSync(path).map((name) => `${path}/${name}`) : [];
