import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { removeClusterRecord } from "@boxship/base/cluster-record";
import { type Cluster, kubectl, startCluster } from "@boxship/testkit";

const ROUNDS = Number(process.env["BOXSHIP_POD_KILLS"] ?? 0);
const soak = ROUNDS > 0 ? false : "a soak: BOXSHIP_POD_KILLS says how often something is killed";
const skip = kubectl("", "") === undefined ? "kubectl cannot be had here" : soak;
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

const KINDS = ["daemon", "cluster", "both", "monitor", "runtime"] as const;
type Kind = (typeof KINDS)[number];

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
async function strike(cluster: Cluster, kind: Kind, round: number): Promise<void> {
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
  await using cluster = await startCluster();
  const { apply, engine, field, kube, nodeDirectory, tried } = cluster;
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
  const before = await steady();
  const claim = join(`${engine.root}/cluster/volumes`, readdirSync(`${engine.root}/cluster/volumes`)[0] ?? "");

  let unseen = 0;

  for (let round = 0; round < ROUNDS; round++) {
    const kind =
      KINDS[round < KINDS.length && ROUNDS > KINDS.length ? round : Math.floor(next() * KINDS.length)] ?? "both";
    t.diagnostic(`round ${round}: ${kind}`);
    const coming = tried(["apply", "-f", "-"], { input: passing(round) });
    const going = round === 0 ? undefined : tried(["delete", "pod", "-l", `round=${round - 1}`, "--wait=false"]);
    const ending = round % 4 === 1 ? tried(["exec", "counter", "--", "touch", "/data/end"]) : undefined;
    await delay(next() * 900);
    await strike(cluster, kind, round);
    // Who was answered or not: what was asked for is asked for again.
    await Promise.all([coming, going, ending]);
    await apply(passing(round));
    if (round > 0) await kube("delete", "pod", "-l", `round=${round - 1}`, "--timeout=120s");
    await kube("wait", "pod", "-l", `round=${round}`, "--for=condition=Ready", "--timeout=180s");
    assert.deepEqual(await steady(), before, `round ${round} (${kind}): what ran goes on`);
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
