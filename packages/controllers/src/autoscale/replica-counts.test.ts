import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { JsonObject } from "@boxship/api";
import type { Pod } from "../types/pod.ts";
import { limitRate, type Memory } from "./limit-rate.ts";
import { type PodMetric, thousandths } from "./pod-groups.ts";
import { countByAverage, countByUtilization } from "./replica-counts.ts";

const NOW = Date.parse("2024-01-01T12:00:00Z");
const time = (at: number): string => new Date(at).toISOString();

/** What is different about a pod: not ready, failed, started half a minute ago. */
type Oddity = "" | "unready" | "failed" | "hot";

/** A pod of two containers that ask for so much each. */
function pod(name: string, request: string, odd: Oddity): Pod {
  const start = time(NOW - (odd === "hot" ? 30_000 : 3_600_000));
  const ready = { type: "Ready", status: odd === "unready" ? "False" : "True", lastTransitionTime: start };
  const containers = ["a", "b"].map((one) => ({ name: one, image: "x", resources: { requests: { cpu: request } } }));
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name },
    spec: { containers },
    status: { phase: odd === "failed" ? "Failed" : "Running", startTime: start, conditions: [ready] },
  };
}

const metricsOf = (levels: readonly number[]): Map<string, PodMetric> =>
  new Map(levels.map((level, index) => [`pod-${index}`, { value: BigInt(2 * level), at: NOW, windowMs: 60_000 }]));

interface Case {
  readonly what: string;
  readonly current: number;
  readonly requests: readonly string[];
  /** Thousandths of a core that each container uses, as far as it is known. */
  readonly levels: readonly number[];
  readonly target: number;
  readonly odd?: readonly Oddity[];
  /** Replicas, percent, and thousandths of a core of one pod. */
  readonly want: readonly [number, number, bigint];
}

const ones = (count: number): readonly string[] => Array<string>(count).fill("1");

/** The numbers are those that upstream's own tests expect. */
const cases: readonly Case[] = [
  {
    what: "twice as much as wanted, one not ready",
    current: 3,
    requests: ones(3),
    levels: [300, 500, 700],
    target: 30,
    odd: ["unready"],
    want: [4, 60, 1200n],
  },
  {
    what: "twice as much as wanted, one just started",
    current: 3,
    requests: ones(3),
    levels: [300, 500, 700],
    target: 30,
    odd: ["hot"],
    want: [4, 60, 1200n],
  },
  {
    what: "more than wanted, most not ready",
    current: 3,
    requests: ones(3),
    levels: [400, 500, 700],
    target: 30,
    odd: ["", "unready", "unready"],
    want: [3, 40, 800n],
  },
  {
    what: "failed ones beside",
    current: 2,
    requests: ones(4),
    levels: [500, 700],
    target: 30,
    odd: ["", "", "failed", "failed"],
    want: [4, 60, 1200n],
  },
  {
    what: "less than wanted",
    current: 5,
    requests: ones(5),
    levels: [100, 300, 500, 250, 250],
    target: 50,
    want: [3, 28, 560n],
  },
  {
    what: "less than wanted, some not ready",
    current: 5,
    requests: ones(5),
    levels: [100, 300, 500, 250, 250],
    target: 50,
    odd: ["", "", "", "unready", "unready"],
    want: [2, 30, 600n],
  },
  {
    what: "hardly more than wanted",
    current: 3,
    requests: ["900m", "1", "1100m"],
    levels: [1010, 1030, 1020],
    target: 100,
    want: [3, 102, 2040n],
  },
  {
    what: "numbers of pods that are not there",
    current: 4,
    requests: ones(4),
    levels: [4000, 9500, 3000, 7000, 3200, 2000],
    target: 100,
    want: [24, 587, 11_750n],
  },
  {
    what: "half is unknown, and little used",
    current: 4,
    requests: ones(4),
    levels: [400, 95],
    target: 100,
    want: [3, 24, 495n],
  },
  {
    what: "half is unknown, and just enough used",
    current: 2,
    requests: ones(2),
    levels: [1000],
    target: 100,
    want: [2, 100, 2000n],
  },
  {
    what: "half is unknown, and nearly twice as much used",
    current: 2,
    requests: ones(2),
    levels: [1900],
    target: 100,
    want: [2, 190, 3800n],
  },
  {
    what: "half is unknown, and not enough used",
    current: 2,
    requests: ones(2),
    levels: [600],
    target: 100,
    want: [2, 60, 1200n],
  },
  {
    what: "one is not ready and one unknown",
    current: 3,
    requests: ones(3),
    levels: [100, 450],
    target: 50,
    odd: ["unready"],
    want: [3, 45, 900n],
  },
  {
    what: "one has just started and one is unknown",
    current: 3,
    requests: ones(3),
    levels: [100, 450],
    target: 50,
    odd: ["hot"],
    want: [3, 45, 900n],
  },
  {
    what: "one is not ready, one unknown, one at four times",
    current: 3,
    requests: ones(3),
    levels: [100, 2000],
    target: 50,
    odd: ["unready"],
    want: [4, 200, 4000n],
  },
  {
    what: "one is not ready, one unknown, the others idle",
    current: 4,
    requests: ones(4),
    levels: [100, 100, 100],
    target: 50,
    odd: ["unready"],
    want: [3, 10, 200n],
  },
  {
    what: "one more while it is updated",
    current: 2,
    requests: ones(3),
    levels: [100, 100],
    target: 50,
    want: [2, 10, 200n],
  },
];

describe("how many pods there should be", () => {
  for (const { what, current, requests, levels, target, odd = [], want } of cases) {
    test(what, () => {
      const pods = requests.map((request, index) => pod(`pod-${index}`, request, odd[index] ?? ""));
      const tolerance = { up: 0.1, down: 0.1 };
      const counting = { current, pods, metrics: metricsOf(levels), tolerance, now: NOW };
      const { replicas, utilization, average } = countByUtilization(target, "cpu", counting, undefined);
      assert.deepEqual([replicas, utilization, average], want);
    });
  }

  const counting = (pods: readonly Pod[], levels: readonly number[]) => {
    const tolerance = { up: 0.1, down: 0.1 };
    return { current: 3, pods, metrics: metricsOf(levels), tolerance, now: NOW };
  };

  test("of averages no part of a thousandth is left, and amounts are rounded up to one", () => {
    const pods = [0, 1, 2].map((index) => pod(`pod-${index}`, "1", ""));
    assert.equal(countByAverage(100n, counting(pods, [50, 50, 51])).average, 100n);
    assert.deepEqual(["1n", "1500u", "2", "-1n"].map(thousandths), [1n, 2n, 2000n, 0n]);
  });

  test("what a pod asks for as a whole counts before what its containers do", () => {
    const one = pod("pod-0", "1", "");
    const whole = (requests: JsonObject): Pod => ({ ...one, spec: { ...one.spec, resources: { requests } } });
    const percent = (own: Pod, container?: string) =>
      countByUtilization(50, "cpu", counting([own], [500]), container).utilization;
    assert.deepEqual([percent(one), percent(whole({ cpu: "4" })), percent(whole({ memory: "1Gi" }))], [50, 25, 50]);
    assert.equal(percent(whole({ cpu: "4" }), "a"), 100, "of one container");
    const none = { ...whole({ memory: "1Gi" }) };
    none.spec = { ...none.spec, containers: [{ name: "a", image: "x" }] };
    assert.throws(() => percent(none), /^FailedPrecondition: missing pod-level request for cpu in Pod pod-0$/);
  });
});

describe("how fast", () => {
  const policies = [
    { type: "Pods", value: 2, periodSeconds: 60 },
    { type: "Percent", value: 50, periodSeconds: 120 },
  ];
  const events = (ups: readonly number[], downs: readonly number[]): Memory => ({
    recommendations: [],
    ups: ups.map((change) => ({ at: NOW - 90_000, change })),
    downs: downs.map((change) => ({ at: NOW - 30_000, change })),
  });
  const rows: readonly (readonly [string, string, number, Memory, number])[] = [
    ["Max", "up", 100, events([], []), 15],
    ["Min", "up", 100, events([], []), 12],
    ["Disabled", "up", 100, events([], []), 10],
    // Two minutes ago there were 6: half as many more are 9, and less than there are.
    ["Max", "up", 100, events([4], []), 12],
    ["Max", "up", 100, events([], [4]), 21],
    ["Max", "down", 0, events([], []), 5],
    ["Min", "down", 0, events([], []), 8],
    ["Disabled", "down", 0, events([], []), 10],
    ["Max", "down", 0, events([], [4]), 7],
    ["Min", "down", 0, events([], [4]), 10],
  ];
  for (const [selectPolicy, way, desired, memory, want] of rows) {
    test(`${selectPolicy} of two rules ${way}, ${memory.ups.length} changes up and ${memory.downs.length} down before`, () => {
      const rules = { policies, selectPolicy };
      const wish = { current: 10, desired, min: 0, max: 100, now: NOW };
      assert.equal(limitRate(wish, memory, { scaleUp: rules, scaleDown: rules }).replicas, want);
    });
  }
});
