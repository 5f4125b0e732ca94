import type { NodeInfo } from "../cluster/node-info.ts";
import { isNodeChange, type Plugin, type Rejection, reject, rejectFinally } from "../plugin.ts";
import type { PodInfo } from "../pod/pod-info.ts";
import { amountOf, type Resources } from "../pod/resources.ts";
import { CPU_AND_MEMORY, leastAllocated, scoreBy } from "./resource-strategies.ts";

const TOO_MANY = "Too many pods";

const amounts = ({ cpu, memory, ephemeral, others }: Resources): (readonly [string, number])[] =>
  [["cpu", cpu] as const, ["memory", memory] as const, ["ephemeral-storage", ephemeral] as const, ...others].filter(
    ([, amount]) => amount > 0,
  );

/** What is missing on a node; final where even an empty one would not do. */
function findMissing(node: NodeInfo, asked: readonly (readonly [string, number])[]): Rejection | undefined {
  const { allocatable, requested } = node;
  const isFull = node.pods.size + 1 > node.mostPods;
  let fits = !isFull;
  for (const [name, amount] of asked) {
    if (amount > amountOf(allocatable, name) - amountOf(requested, name)) fits = false;
  }
  if (fits) return undefined;
  const short = asked.filter(([name, amount]) => amount > amountOf(allocatable, name) - amountOf(requested, name));
  const reasons = [...(isFull ? [TOO_MANY] : []), ...short.map(([name]) => `Insufficient ${name}`)];
  const never = short.some(([name, amount]) => amount > amountOf(node.allocatable, name));
  return never ? rejectFinally(...reasons) : reject(...reasons);
}

export interface ResourcesFitOptions {
  /** From 0 to 100. */
  readonly score: (node: NodeInfo, pod: PodInfo) => number;
  /** Resources beyond processor, memory and storage that others count. @default none */
  readonly isIgnored?: (name: string) => boolean;
}

export function nodeResourcesFitBy({ score, isIgnored = () => false }: ResourcesFitOptions): Plugin {
  const askedBy = ({ requests }: PodInfo): (readonly [string, number])[] =>
    amounts(requests.asked).filter(([name]) => !(name.includes("/") && isIgnored(name)));
  return {
    name: "NodeResourcesFit",
    filter(pod) {
      const asked = askedBy(pod);
      const { cpu, memory } = pod.requests.asked;
      if (asked.some(([name]) => name !== "cpu" && name !== "memory")) return (node) => findMissing(node, asked);
      return (node) => {
        const { free } = node;
        return free.pods > 0 && cpu <= free.cpu && memory <= free.memory ? undefined : findMissing(node, asked);
      };
    },
    score: (pod, _, nodes) => scoresOf(nodes, (node) => score(node, pod)),
    mayHelp(pod, change) {
      if (change.kind === "podGone") return true;
      return isNodeChange(change, "allocatable") && findMissing(change.node, askedBy(pod)) === undefined;
    },
  };
}

/** The less of a node is taken, the better. */
export const nodeResourcesFit: Plugin = nodeResourcesFitBy({ score: scoreBy(leastAllocated, CPU_AND_MEMORY, true) });

/** Processor and memory are to be taken in like parts. */
export const nodeResourcesBalancedAllocation: Plugin = nodeResourcesBalancedAllocationBy(["cpu", "memory"]);

export function nodeResourcesBalancedAllocationBy(names: readonly string[]): Plugin {
  return {
    name: "NodeResourcesBalancedAllocation",
    score({ requests: { asked } }, _, nodes) {
      if (names.every((name) => amountOf(asked, name) === 0)) return undefined;
      // Asked of hundreds of nodes for each pod: the usual case makes no lists.
      if (names.length === 2 && names[0] === "cpu" && names[1] === "memory") {
        return scoresOf(nodes, ({ allocatable, requested }) => {
          const cpu = Math.min((requested.cpu + asked.cpu) / allocatable.cpu, 1);
          const memory = Math.min((requested.memory + asked.memory) / allocatable.memory, 1);
          if (allocatable.cpu === 0 || allocatable.memory === 0) return 100;
          return Math.floor((1 - Math.abs(cpu - memory) / 2) * 100);
        });
      }
      return scoresOf(nodes, ({ allocatable, requested }) => {
        const parts: number[] = [];
        for (const name of names) {
          const [capacity, more] = [amountOf(allocatable, name), amountOf(asked, name)];
          const isExtended = name !== "cpu" && name !== "memory";
          if (capacity === 0 || (isExtended && more === 0)) continue;
          parts.push(Math.min((amountOf(requested, name) + more) / capacity, 1));
        }
        return Math.floor((1 - deviation(parts)) * 100);
      });
    },
  };
}

/** `Float64Array.from` walks by an iterator, which takes several times as long. */
function scoresOf(nodes: readonly NodeInfo[], score: (node: NodeInfo) => number): Float64Array {
  const scores = new Float64Array(nodes.length);
  for (let index = 0; index < nodes.length; index++) scores[index] = score(nodes[index] as NodeInfo);
  return scores;
}

/** How far parts are from each other. */
function deviation(parts: readonly number[]): number {
  if (parts.length <= 1) return 0;
  if (parts.length === 2) return Math.abs((parts[0] ?? 0) - (parts[1] ?? 0)) / 2;
  const mean = parts.reduce((sum, one) => sum + one, 0) / parts.length;
  return Math.sqrt(parts.reduce((sum, one) => sum + (one - mean) ** 2, 0) / parts.length);
}
