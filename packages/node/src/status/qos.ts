import { parseQuantity, quantityNumber } from "@boxship/api";
import { allContainers, type ContainerSpec, type Pod } from "../types.ts";

export type QosClass = "Guaranteed" | "Burstable" | "BestEffort";

const NAMES = ["cpu", "memory"] as const;

/** A quantity as a number: of cores, of bytes; 0 for what is not said. */
export function amount(text: string | undefined): number {
  const parsed = text === undefined ? undefined : parseQuantity(text);
  return parsed === undefined ? 0 : quantityNumber(parsed);
}

/** The pod's class: who gives way when memory is short. */
export function qosClass(pod: Pod): QosClass {
  const containers = allContainers(pod);
  const said = ({ resources = {} }: ContainerSpec) =>
    NAMES.some((name) => amount(resources.requests?.[name]) > 0 || amount(resources.limits?.[name]) > 0);
  if (!containers.some(said)) return "BestEffort";
  const guaranteed = containers.every(({ resources: { requests = {}, limits = {} } = {} }) =>
    NAMES.every((name) => amount(limits[name]) > 0 && amount(requests[name] ?? limits[name]) === amount(limits[name])),
  );
  return guaranteed ? "Guaranteed" : "Burstable";
}

/** Which of a machine's processes go first when memory is out; 1000 is the first. */
export function oomScoreAdj(pod: Pod, { resources = {} }: ContainerSpec, nodeMemory: number): number {
  const qos = qosClass(pod);
  if (qos === "Guaranteed") return -997;
  if (qos === "BestEffort") return 1000;
  const requested = amount(resources.requests?.["memory"] ?? resources.limits?.["memory"]);
  return Math.min(999, Math.max(3, Math.trunc(1000 - (1000 * requested) / nodeMemory)));
}
