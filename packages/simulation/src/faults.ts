import { randomOf } from "./random.ts";

/** What goes wrong, and when: milliseconds from the start. */
export type Fault =
  /** A node is not to be heard of for a while. */
  | { readonly at: number; readonly kind: "node-lost"; readonly node: number; readonly ms: number }
  /** The controllers and the scheduler end in the middle of a write, and start anew. */
  | { readonly at: number; readonly kind: "restart" }
  /** So many of the next writes fail; of every second one the answer is lost, not the write. */
  | { readonly at: number; readonly kind: "write-failures"; readonly count: number }
  /** A node's clock is wrong from then on. */
  | { readonly at: number; readonly kind: "clock-skew"; readonly node: number; readonly ms: number };

const MINUTE_MS = 60_000;

/** Faults for a run: the same for the same seed. In the last third nothing goes wrong any more. */
export function planFaults(seed: number, minutes: number, nodes: number): Fault[] {
  const random = randomOf(seed ^ 0x5eed);
  const until = (minutes * MINUTE_MS * 2) / 3;
  const faults: Fault[] = [];
  const pick = (most: number): number => Math.floor(random() * most);
  for (let at = pick(MINUTE_MS); at < until; at += 15_000 + pick(2 * MINUTE_MS)) {
    const kind = pick(4);
    if (kind === 0)
      faults.push({ at, kind: "node-lost", node: pick(nodes), ms: Math.min(20_000 + pick(6 * MINUTE_MS), until - at) });
    else if (kind === 1) faults.push({ at, kind: "restart" });
    else if (kind === 2) faults.push({ at, kind: "write-failures", count: 1 + pick(8) });
    else faults.push({ at, kind: "clock-skew", node: pick(nodes), ms: pick(10_000) - 5000 });
  }
  return faults;
}

export function describeFault(fault: Fault): string {
  const at = `${Math.round(fault.at / 1000)}s`;
  switch (fault.kind) {
    case "node-lost":
      return `${at} node-${fault.node} lost for ${Math.round(fault.ms / 1000)}s`;
    case "restart":
      return `${at} controllers and scheduler restart`;
    case "write-failures":
      return `${at} ${fault.count} writes fail`;
    case "clock-skew":
      return `${at} node-${fault.node}'s clock is ${fault.ms}ms ahead`;
  }
}
