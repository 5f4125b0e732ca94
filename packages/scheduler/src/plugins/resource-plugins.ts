import type { NodeInfo } from "../cluster/node-info.ts";
import { isNodeChange, type Plugin, type Rejection, reject, rejectFinally } from "../plugin.ts";
import type { PodInfo } from "../pod/pod-info.ts";
import type { Resources } from "../pod/resources.ts";

const TOO_MANY = "Too many pods";

const amounts = ({ cpu, memory, ephemeral, others }: Resources): (readonly [string, number])[] =>
  [["cpu", cpu] as const, ["memory", memory] as const, ["ephemeral-storage", ephemeral] as const, ...others].filter(
    ([, amount]) => amount > 0,
  );

function amountOf(resources: Resources, name: string): number {
  if (name === "cpu") return resources.cpu;
  if (name === "memory") return resources.memory;
  if (name === "ephemeral-storage") return resources.ephemeral;
  return resources.others.get(name) ?? 0;
}

/** What is missing on a node; final where even an empty one would not do. */
function findMissing(node: NodeInfo, asked: readonly (readonly [string, number])[]): Rejection | undefined {
  const isFull = node.pods.size + 1 > node.mostPods;
  const isShort = ([name, amount]: readonly [string, number]): boolean =>
    amount > amountOf(node.allocatable, name) - amountOf(node.requested, name);
  if (!isFull && !asked.some(isShort)) return undefined;
  const short = asked.filter(isShort);
  const reasons = [...(isFull ? [TOO_MANY] : []), ...short.map(([name]) => `Insufficient ${name}`)];
  const never = short.some(([name, amount]) => amount > amountOf(node.allocatable, name));
  return never ? rejectFinally(...reasons) : reject(...reasons);
}

export const nodeResourcesFit: Plugin = {
  name: "NodeResourcesFit",
  filter({ requests }) {
    const asked = amounts(requests.asked);
    return (node) => findMissing(node, asked);
  },
  /** The less of a node is taken, the better. */
  score({ requests: { scored } }, _, nodes) {
    return Float64Array.from(nodes, (node) => {
      const free = (capacity: number, taken: number): number =>
        capacity === 0 || taken > capacity ? 0 : Math.floor(((capacity - taken) * 100) / capacity);
      const cpu = free(node.allocatable.cpu, node.scored.cpu + scored.cpu);
      return Math.floor((cpu + free(node.allocatable.memory, node.scored.memory + scored.memory)) / 2);
    });
  },
  mayHelp({ requests }, change) {
    if (change.kind === "podGone") return true;
    return isNodeChange(change, "allocatable") && couldHold(change.node, requests.asked);
  },
};

const couldHold = (node: NodeInfo, asked: Resources): boolean => findMissing(node, amounts(asked)) === undefined;

/** Processor and memory are to be taken in like parts. */
export const nodeResourcesBalancedAllocation: Plugin = {
  name: "NodeResourcesBalancedAllocation",
  score(pod: PodInfo, _, nodes) {
    const { cpu, memory } = pod.requests.asked;
    if (cpu === 0 && memory === 0) return undefined;
    return Float64Array.from(nodes, ({ allocatable, requested }) => {
      if (allocatable.cpu === 0 || allocatable.memory === 0) return 100;
      const part = (taken: number, capacity: number): number => Math.min(taken / capacity, 1);
      const cpuPart = part(requested.cpu + cpu, allocatable.cpu);
      const deviation = Math.abs(cpuPart - part(requested.memory + memory, allocatable.memory)) / 2;
      return Math.floor((1 - deviation) * 100);
    });
  },
};
