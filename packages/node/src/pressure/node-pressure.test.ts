import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock, silentLogger } from "@boxship/base";
import type { ContainerStats } from "@boxship/cri";
import type { Pod, PodSpec } from "../types.ts";
import { NodePressure } from "./node-pressure.ts";
import { type EvictionFlag, parseEviction } from "./parse-thresholds.ts";
import type { NodeSignals } from "./read-signals.ts";
import type { EvictionSettings } from "./thresholds.ts";

const MI = 1 << 20;
const GI = 1 << 30;

const plenty: NodeSignals = {
  memory: { available: 4 * GI, capacity: 8 * GI },
  disk: { available: 50 * GI, capacity: 100 * GI },
  inodes: { available: 1e6, capacity: 2e6 },
  pids: { available: 30_000, capacity: 32_768 },
};

function pod(name: string, spec: Partial<PodSpec> = {}): Pod {
  const metadata = { name, namespace: "default", uid: name };
  return { apiVersion: "v1", kind: "Pod", metadata, spec: { containers: [{ name: "c" }], ...spec } };
}

const asking = (memory: string): Partial<PodSpec> => ({
  containers: [{ name: "c", resources: { requests: { memory } } }],
});

/** A node with these pods and what they use, and what happens to them. */
function node(
  pods: readonly Pod[],
  use: Readonly<Record<string, { memory?: number; written?: number; files?: number }>>,
  eviction?: EvictionSettings,
) {
  const clock = new FakeClock(0);
  const evicted: string[] = [];
  const graces: number[] = [];
  const crossed: string[] = [];
  const told: string[] = [];
  const state = { signals: plenty, reclaimable: false };
  const statsOf = ({ metadata: { name = "" } }: Pod) =>
    ({
      attributes: { labels: { "io.kubernetes.pod.uid": name, "io.kubernetes.container.name": "c" } },
      memory: { workingSetBytes: { value: use[name]?.memory ?? 0 } },
      writableLayer: { usedBytes: { value: use[name]?.written ?? 0 } },
    }) as unknown as ContainerStats;
  const pressure: NodePressure = new NodePressure({
    cri: { listContainerStats: () => Promise.resolve({ stats: pods.map(statsOf) }) },
    clock,
    logger: silentLogger,
    read: () => Promise.resolve(state.signals),
    pods: () => pods.filter(({ metadata }) => !evicted.some((one) => one.startsWith(`${metadata.name}:`))),
    used: ({ metadata: { name = "" } }) => Promise.resolve(use[name]?.files ?? 0),
    logs: () => Promise.resolve(0),
    crossed: (resource) => crossed.push(resource),
    evict: ({ metadata }, message, seconds) => {
      evicted.push(`${metadata.name}: ${message}`);
      graces.push(seconds);
    },
    ...(eviction === undefined ? {} : { eviction }),
    reclaim: () => {
      if (state.reclaimable) state.signals = plenty;
      return Promise.resolve(state.reclaimable);
    },
    changed: () =>
      told.push(pressure.has("MemoryPressure") ? "memory" : pressure.has("DiskPressure") ? "disk" : "fine"),
  });
  return { pressure, clock, crossed, evicted, graces, told, state };
}

test("memory is short: those beyond what they asked for go first, one at a time, the least important before others", async () => {
  const pods = [
    pod("within", asking("900Mi")),
    pod("important", { ...asking("10Mi"), priority: 1000 }),
    pod("greedy", asking("10Mi")),
    pod("modest", asking("10Mi")),
    pod("critical", { priority: 2_000_000_000 }),
  ];
  const use = {
    within: { memory: 800 * MI },
    important: { memory: 700 * MI },
    greedy: { memory: 60 * MI },
    modest: { memory: 20 * MI },
    critical: { memory: 900 * MI },
  };
  const { pressure, evicted, told, state, clock } = node(pods, use);
  await pressure.look();
  assert.deepEqual([evicted, told], [[], []]);
  state.signals = { ...plenty, memory: { available: 99 * MI, capacity: 8 * GI } };
  for (let rounds = 0; rounds < 6; rounds++) await pressure.look();
  assert.deepEqual(
    evicted.map((one) => one.split(":", 1)[0]),
    ["greedy", "modest", "important", "within"],
  );
  assert.equal(
    evicted[0],
    "greedy: The node was low on resource: memory. Threshold quantity: 100Mi, available: 99Mi. Container c was using 60Mi, request is 10Mi, has larger consumption of memory. ",
  );
  assert.deepEqual(told, ["memory"]);
  // The condition stays for a while.
  state.signals = plenty;
  await clock.advance(299_000);
  await pressure.look();
  assert.deepEqual(told, ["memory"]);
  await clock.advance(2000);
  await pressure.look();
  assert.deepEqual(told, ["memory", "fine"]);
});

test("while something is short only those are begun that may be", async () => {
  const tolerations = [{ key: "node.kubernetes.io/memory-pressure", operator: "Exists" }];
  const pods = [
    pod("nothing"),
    pod("asking", asking("1Mi")),
    pod("tolerant", { tolerations }),
    pod("critical", { priority: 2_000_000_000 }),
  ];
  const { pressure, state, crossed } = node([], {});
  const begun = () => pods.filter((one) => pressure.rejection(one) === undefined).map(({ metadata }) => metadata.name);
  assert.equal(begun().length, 4);
  state.signals = { ...plenty, memory: { available: MI, capacity: 8 * GI } };
  await pressure.look();
  assert.deepEqual(begun(), ["asking", "tolerant", "critical"]);
  state.signals = { ...plenty, pids: { available: 2, capacity: 32_768 } };
  await pressure.look();
  assert.deepEqual(begun(), ["critical"]);
  const message = "The node had condition: [MemoryPressure PIDPressure]. ";
  assert.deepEqual(pressure.rejection(pod("nothing")), { reason: "Evicted", message });
  assert.deepEqual(crossed, ["memory", "pids"]);
});

test("the disk is short: what nobody uses goes before anybody has to", async () => {
  const { pressure, evicted, told, state } = node([pod("full"), pod("small")], {
    full: { written: 3 * GI },
    small: { written: MI },
  });
  const short = { ...plenty, disk: { available: 4 * GI, capacity: 100 * GI } };
  state.signals = short;
  state.reclaimable = true;
  await pressure.look();
  assert.deepEqual([evicted, told], [[], ["disk"]]);
  state.signals = short;
  state.reclaimable = false;
  await pressure.look();
  assert.equal(evicted.length, 1);
  assert.match(evicted[0] ?? "", /^full: The node was low on resource: ephemeral-storage\./);
});

test("a pod that has more on the disk than it may is evicted, however much there is", async () => {
  const volumes = [{ name: "v", emptyDir: { sizeLimit: "1Mi" } }];
  const limited = [{ name: "c", resources: { limits: { "ephemeral-storage": "2Mi" } } }];
  const pods = [
    pod("volume", { volumes }),
    pod("memory", { volumes: [{ name: "v", emptyDir: { medium: "Memory", sizeLimit: "1Mi" } }] }),
    pod("container", { containers: limited }),
    pod("together", { containers: limited, volumes: [{ name: "v", emptyDir: {} }] }),
    pod("fine", { containers: limited, volumes }),
  ];
  const { pressure, evicted } = node(pods, {
    volume: { files: MI + 4096 },
    memory: { files: 2 * MI },
    container: { written: 3 * MI },
    together: { written: 2 * MI, files: 4096 },
    fine: { written: MI, files: MI },
  });
  await pressure.look();
  assert.deepEqual(evicted, [
    'volume: Usage of EmptyDir volume "v" exceeds the limit "1Mi". ',
    'container: Container c exceeded its local ephemeral storage limit "2Mi". ',
    "together: Pod ephemeral local storage usage exceeds the total limit of containers 2097152. ",
  ]);
});

test("soft thresholds wait, give a while to end, and hold until there is more than they say", async () => {
  const eviction = parseEviction({
    "eviction-hard": "memory.available<1Gi",
    "eviction-soft": "memory.available<25%",
    "eviction-soft-grace-period": "memory.available=1m30s",
    "eviction-minimum-reclaim": "memory.available=512Mi",
    "eviction-pressure-transition-period": "30s",
    "eviction-max-pod-grace-period": "20",
  });
  assert.ok(eviction !== undefined);
  const pods = [pod("slow"), pod("quick", { terminationGracePeriodSeconds: 5 }), pod("third"), pod("fourth")];
  const use = { slow: { memory: 4 * MI }, quick: { memory: 3 * MI }, third: { memory: 2 * MI }, fourth: {} };
  const { pressure, clock, evicted, graces, told, state } = node(pods, use, eviction);
  const look = async (available: number, seconds = 10) => {
    await clock.advance(seconds * 1000);
    state.signals = { ...plenty, memory: { available, capacity: 8 * GI } };
    await pressure.look();
  };
  // A disk of which no threshold is told is nobody's concern.
  state.signals = { ...plenty, disk: { available: 0, capacity: 100 * GI } };
  await pressure.look();
  assert.deepEqual([evicted, told], [[], []]);
  await look(1.9 * GI);
  assert.deepEqual(told, ["memory"]);
  await look(1.9 * GI, 80);
  assert.deepEqual(evicted, []);
  await look(1.9 * GI);
  await look(2.4 * GI);
  assert.deepEqual(graces, [20, 5]);
  assert.match(evicted[0] ?? "", /^slow: .*Threshold quantity: 2Gi, available: /);
  // As much as is to be reclaimed: it begins anew.
  await look(2.5 * GI);
  await look(2.1 * GI, 10);
  assert.equal(evicted.length, 2);
  await look(2.1 * GI, 30);
  assert.deepEqual(told, ["memory", "fine"]);
  await look(0.9 * GI);
  assert.deepEqual([evicted.length, graces.at(-1)], [3, 0]);
});

test("thresholds are read as the kubelet does, and refused with its words", () => {
  assert.equal(parseEviction({ "eviction-hard": "" }), undefined);
  assert.deepEqual(
    parseEviction({ "eviction-hard": "nodefs.available<5.5%,pid.available<0%, imagefs.inodesFree<10k" }),
    {
      thresholds: [
        { signal: "nodefs.available", bound: { part: 0.055 } },
        { signal: "imagefs.inodesFree", bound: { amount: 10_000 } },
      ],
    },
  );
  const kept = parseEviction({ "eviction-minimum-reclaim": "memory.available=1Mi" });
  assert.deepEqual(kept?.thresholds[0], {
    signal: "memory.available",
    bound: { amount: 100 * MI },
    reclaim: { amount: MI },
  });
  assert.equal(kept.thresholds.length, 4);
  const refused: readonly (readonly [EvictionFlag, string, string])[] = [
    ["eviction-hard", "memory.available", "malformed pair, expect string<string"],
    ["eviction-hard", "memory.free<1Gi", "unsupported eviction signal memory.free"],
    ["eviction-hard", "containerfs.available<1Gi", "eviction signal containerfs.available is not measured here"],
    ["eviction-hard", "memory.available<-1%", "eviction percentage threshold memory.available must be >= 0%: -1%"],
    ["eviction-hard", "memory.available<101%", "eviction percentage threshold memory.available must be <= 100%: 101%"],
    ["eviction-hard", "memory.available<0", "eviction threshold memory.available must be positive: 0"],
    ["eviction-hard", "memory.available<x%", 'strconv.ParseFloat: parsing "x": invalid syntax'],
    [
      "eviction-soft",
      "memory.available<1Gi",
      "grace period must be specified for the soft eviction threshold memory.available",
    ],
    [
      "eviction-soft-grace-period",
      "memory.available=-1s",
      "invalid eviction grace period specified: -1s, must be a positive value",
    ],
    ["eviction-soft-grace-period", "memory.available=1", 'time: missing unit in duration "1"'],
    [
      "eviction-minimum-reclaim",
      "memory.available=0%",
      "eviction percentage minimum reclaim memory.available must be positive: 0%",
    ],
    [
      "eviction-minimum-reclaim",
      "memory.available=-1",
      "negative eviction minimum reclaim specified for memory.available",
    ],
    ["eviction-pressure-transition-period", "soon", 'time: invalid duration "soon"'],
    ["eviction-max-pod-grace-period", "-1", 'strconv.ParseInt: parsing "-1": invalid syntax'],
  ];
  for (const [flag, text, words] of refused) {
    assert.throws(() => parseEviction({ [flag]: text }), { code: "InvalidArgument", message: `--${flag}: ${words}` });
  }
});
