import type { NodeInfo } from "../cluster/node-info.ts";
import type { PodInfo } from "../pod/pod-info.ts";
import { amountOf } from "../pod/resources.ts";

export interface WeightedResource {
  readonly name: string;
  readonly weight: number;
}

/** A score from 0 to 100 by how much of a resource is taken, in percent. */
export type Strategy = (takenPercent: number) => number;

/** Points of a curve: scores from 0 to 10 by percent. */
export interface ShapePoint {
  readonly utilization: number;
  readonly score: number;
}

export const leastAllocated: Strategy = (taken) => 100 - taken;
export const mostAllocated: Strategy = (taken) => taken;

/** Straight lines between the points, and flat before and behind. */
export function byShape(shape: readonly ShapePoint[]): Strategy {
  const points = shape.map(({ utilization, score }) => [utilization, score * 10] as const);
  return (taken) => {
    let before: readonly [number, number] | undefined;
    for (const point of points) {
      if (taken <= point[0]) {
        if (before === undefined || point[0] === before[0]) return point[1];
        return before[1] + Math.trunc(((point[1] - before[1]) * (taken - before[0])) / (point[0] - before[0]));
      }
      before = point;
    }
    return before?.[1] ?? 0;
  };
}

export const CPU_AND_MEMORY: readonly WeightedResource[] = [
  { name: "cpu", weight: 1 },
  { name: "memory", weight: 1 },
];

/** What would be taken of a resource, with what containers count as that ask for nothing. */
function takenOf(node: NodeInfo, pod: PodInfo, name: string): number {
  if (name === "cpu" || name === "memory") return node.scored[name] + pod.requests.scored[name];
  return amountOf(node.requested, name) + amountOf(pod.requests.asked, name);
}

/** The weighted mean over resources that the node has. */
export function scoreBy(
  strategy: Strategy,
  resources: readonly WeightedResource[],
  isLeast: boolean,
): (node: NodeInfo, pod: PodInfo) => number {
  if (isLeast && strategy === leastAllocated && resources === CPU_AND_MEMORY) return leastOfCpuAndMemory;
  return (node, pod) => {
    let [sum, weights] = [0, 0];
    for (const { name, weight } of resources) {
      const capacity = amountOf(node.allocatable, name);
      const isExtended = name !== "cpu" && name !== "memory";
      if (isExtended && (capacity === 0 || amountOf(pod.requests.asked, name) === 0)) continue;
      weights += weight;
      const taken = takenOf(node, pod, name);
      if (capacity === 0 || taken > capacity) continue;
      // As upstream rounds: what is free, or what is taken, down.
      const percent = isLeast
        ? 100 - Math.floor(((capacity - taken) * 100) / capacity)
        : Math.floor((taken * 100) / capacity);
      sum += strategy(percent) * weight;
    }
    return weights === 0 ? 0 : Math.floor(sum / weights);
  };
}

/** The usual case, for hundreds of nodes and every pod: the same without lists and names. */
function leastOfCpuAndMemory({ allocatable, scored }: NodeInfo, { requests }: PodInfo): number {
  const cpu = freePercent(allocatable.cpu, scored.cpu + requests.scored.cpu);
  return Math.floor((cpu + freePercent(allocatable.memory, scored.memory + requests.scored.memory)) / 2);
}

const freePercent = (capacity: number, taken: number): number =>
  capacity === 0 || taken > capacity ? 0 : Math.floor(((capacity - taken) * 100) / capacity);
