import { randomOf } from "./random.ts";

/** Who follows the API by watches that go wrong. */
export type Watcher = "controllers" | "scheduler";

/**
 * How a watch goes on that told nothing for a while: what happened is told late, after what happened later elsewhere; it breaks
 * and goes on from where it was; or it has to begin anew, and what came and went meanwhile is never told.
 */
export type WatchEnd = "told" | "cut" | "anew";

/** What goes wrong, and when: milliseconds from the start. */
export type Fault =
  /** A node is not to be heard of for a while. */
  | { readonly at: number; readonly kind: "node-lost"; readonly node: string; readonly ms: number }
  /** The controllers and the scheduler end in the middle of a write, and start anew. */
  | { readonly at: number; readonly kind: "restart" }
  /** One controller ends after so many writes more, before it hears of the last, and starts anew. */
  | { readonly at: number; readonly kind: "restart-one"; readonly controller: string; readonly writes: number }
  /** So many of the next writes fail; of every second one the answer is lost, not the write. */
  | { readonly at: number; readonly kind: "write-failures"; readonly count: number }
  /** For a while each write takes so long. */
  | { readonly at: number; readonly kind: "slow-store"; readonly ms: number; readonly latency: number }
  /** Watches of a resource tell nothing for a while, or until who watches waits for what it has written itself. */
  | {
      readonly at: number;
      readonly kind: "watch-held";
      readonly watcher: Watcher;
      readonly resource: string;
      readonly ms: number;
      readonly ends: WatchEnd;
    }
  /** Somebody empties a node as `kubectl drain` does, and gives it back. */
  | { readonly at: number; readonly kind: "drain"; readonly node: string; readonly ms: number }
  /** A node's clock is wrong from then on. */
  | { readonly at: number; readonly kind: "clock-skew"; readonly node: string; readonly ms: number };

const MINUTE_MS = 60_000;
const CONTROLLERS = [
  "deployment-controller",
  "replicaset-controller",
  "statefulset-controller",
  "daemonset-controller",
  "job-controller",
  "cronjob-controller",
  "garbage-collector-controller",
  "disruption-controller",
  "horizontal-pod-autoscaler",
  "endpoint-slice-controller",
  "node-lifecycle-controller",
  "taint-eviction-controller",
] as const;
const WATCHED: Readonly<Record<Watcher, readonly string[]>> = {
  controllers: ["pods", "nodes", "replicasets.apps", "deployments.apps", "statefulsets.apps", "jobs.batch"],
  scheduler: ["pods", "nodes"],
};
const ENDS: readonly WatchEnd[] = ["told", "cut", "anew"];

/**
 * Faults for a run: the same for the same seed. In the last third nothing goes wrong any more.
 *
 * @param nodes their names; with none, nothing happens to nodes
 */
export function planFaults(seed: number, minutes: number, nodes: readonly string[]): Fault[] {
  const random = randomOf(seed ^ 0x5eed);
  const until = (minutes * MINUTE_MS * 2) / 3;
  const faults: Fault[] = [];
  const pick = (most: number): number => Math.floor(random() * most);
  const one = <T>(list: readonly T[]): T => list[pick(list.length)] as T;
  const lasting = (at: number, least: number, most: number): number => Math.min(least + pick(most), until - at);
  const kinds: readonly ((at: number) => Fault)[] = [
    (at) => ({ at, kind: "node-lost", node: one(nodes), ms: lasting(at, 20_000, 6 * MINUTE_MS) }),
    (at) => ({ at, kind: "restart" }),
    (at) => ({ at, kind: "restart-one", controller: one(CONTROLLERS), writes: 1 + pick(4) }),
    (at) => ({ at, kind: "write-failures", count: 1 + pick(8) }),
    (at) => ({ at, kind: "slow-store", ms: lasting(at, 5000, MINUTE_MS), latency: 100 + pick(3000) }),
    (at) => {
      const watcher = one(["controllers", "scheduler"] as const);
      return {
        at,
        kind: "watch-held",
        watcher,
        resource: one(WATCHED[watcher]),
        ms: lasting(at, 1000, MINUTE_MS),
        ends: one(ENDS),
      };
    },
    (at) => ({ at, kind: "drain", node: one(nodes), ms: lasting(at, 20_000, 3 * MINUTE_MS) }),
    (at) => ({ at, kind: "clock-skew", node: one(nodes), ms: pick(10_000) - 5000 }),
  ];
  for (let at = pick(MINUTE_MS); at < until; at += 15_000 + pick(2 * MINUTE_MS)) {
    const fault = one(kinds)(at);
    if (!("node" in fault) || nodes.length > 0) faults.push(fault);
  }
  return faults;
}

const WATCH_ENDS: Readonly<Record<WatchEnd, string>> = {
  told: "late",
  cut: "when they have broken",
  anew: "from a list",
};

export function describeFault(fault: Fault): string {
  const at = `${Math.round(fault.at / 1000)}s`;
  const seconds = "ms" in fault ? Math.round(fault.ms / 1000) : 0;
  switch (fault.kind) {
    case "node-lost":
      return `${at} ${fault.node} lost for ${seconds}s`;
    case "restart":
      return `${at} controllers and scheduler restart`;
    case "restart-one":
      return `${at} the ${fault.controller} restarts after ${fault.writes} writes`;
    case "write-failures":
      return `${at} ${fault.count} writes fail`;
    case "slow-store":
      return `${at} writes take ${fault.latency}ms for ${seconds}s`;
    case "watch-held":
      return `${at} the ${fault.watcher}' watches of ${fault.resource} tell nothing for ${seconds}s, then ${WATCH_ENDS[fault.ends]}`.replace(
        "the scheduler'",
        "the scheduler's",
      );
    case "drain":
      return `${at} ${fault.node} is drained, and is back after ${seconds}s`;
    case "clock-skew":
      return `${at} ${fault.node}'s clock is ${fault.ms}ms ahead`;
  }
}
