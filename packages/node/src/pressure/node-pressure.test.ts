import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock, silentLogger } from "@boxship/base";
import type { ContainerStats } from "@boxship/cri";
import type { Pod, PodSpec } from "../types.ts";
import { NodePressure } from "./node-pressure.ts";
import type { NodeSignals } from "./read-signals.ts";

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
) {
  const clock = new FakeClock(0);
  const evicted: string[] = [];
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
    evict: ({ metadata }, message) => evicted.push(`${metadata.name}: ${message}`),
    reclaim: () => {
      if (state.reclaimable) state.signals = plenty;
      return Promise.resolve(state.reclaimable);
    },
    changed: () =>
      told.push(pressure.has("MemoryPressure") ? "memory" : pressure.has("DiskPressure") ? "disk" : "fine"),
  });
  return { pressure, clock, evicted, told, state };
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
    "greedy: The node was low on resource: memory. Threshold quantity: 102400Ki, available: 101376Ki. The pod was using 61440Ki, request is 10240Ki. ",
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
