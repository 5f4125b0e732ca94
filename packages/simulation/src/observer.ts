import { type KubeObject, listAt, parseQuantity, quantityNumber, textAt } from "@boxship/api";
import { keyOf } from "@boxship/client";
import type { ControllerDefinition, SharedInformers } from "@boxship/controllers";

const PODS = { group: "", version: "v1", resource: "pods" } as const;
const NODES = { group: "", version: "v1", resource: "nodes" } as const;

const WATCHED = [
  { group: "apps", version: "v1", resource: "deployments" },
  { group: "apps", version: "v1", resource: "replicasets" },
  { group: "apps", version: "v1", resource: "statefulsets" },
  { group: "apps", version: "v1", resource: "daemonsets" },
  { group: "batch", version: "v1", resource: "jobs" },
  { group: "", version: "v1", resource: "replicationcontrollers" },
  { group: "", version: "v1", resource: "resourcequotas" },
  { group: "", version: "v1", resource: "services" },
  { group: "policy", version: "v1", resource: "poddisruptionbudgets" },
  { group: "autoscaling", version: "v2", resource: "horizontalpodautoscalers" },
] as const;

export type Watched = (typeof WATCHED)[number]["resource"];

/** How many pods there are, and of which phase. */
export interface Counts {
  readonly pending: number;
  readonly running: number;
  readonly ended: number;
  readonly nodesReady: number;
}

export const amount = (text: string): number => {
  const quantity = parseQuantity(text);
  return quantity === undefined ? 0 : quantityNumber(quantity);
};

/** What a pod's containers ask for: processor in cores, memory in bytes. */
export function requestsOf(pod: KubeObject): readonly [number, number] {
  const containers = listAt(pod, "spec", "containers");
  const sum = (name: string): number =>
    containers.reduce<number>((total, one) => total + amount(textAt(one, "resources", "requests", name)), 0);
  return [sum("cpu"), sum("memory")];
}

export const hasEnded = (pod: KubeObject): boolean => ["Succeeded", "Failed"].includes(textAt(pod, "status", "phase"));

/** Cores, bytes and pods. */
type Amounts = [cores: number, bytes: number, pods: number];

function count(
  all: Map<string, Amounts>,
  key: string,
  [cores, bytes]: readonly [number, number],
  sign: 1 | -1,
): Amounts {
  const sum = all.get(key) ?? [0, 0, 0];
  sum[0] += sign * cores;
  sum[1] += sign * bytes;
  sum[2] += sign;
  all.set(key, sum);
  return sum;
}

/** Sums of decimal fractions are off by a little. */
export const exceeds = (sum: number, most: number): boolean => sum > most * (1 + 1e-9);

/** Follows pods and nodes, and finds what must never be: a pod that moves, a node that is fuller than it is large. */
export class Observer {
  readonly violations: string[] = [];
  readonly #pods = new Map<string, KubeObject>();
  readonly #nodes = new Map<string, KubeObject>();
  /** Cores, bytes and pods that are taken, by node. */
  readonly #taken = new Map<string, Amounts>();
  /** What pods that have not ended ask for, by namespace. */
  readonly #used = new Map<string, Amounts>();
  #informers: SharedInformers | undefined;
  /** Lines of what happened since they were taken. */
  #happened: string[] = [];

  readonly definition: ControllerDefinition = {
    name: "observer",
    open: ({ informers }) => {
      this.#informers = informers;
      for (const one of WATCHED) informers.of(one);
      informers.of<KubeObject>(PODS).handle({
        added: (pod) => this.#pod(pod, undefined),
        updated: (pod, before) => this.#pod(pod, before),
        deleted: (pod) => {
          this.#pods.delete(keyOf(pod));
          this.#count(pod, -1);
          this.#happened.push(`pod ${keyOf(pod)} is gone`);
        },
      });
      const set = (node: KubeObject): void => void this.#nodes.set(node.metadata.name ?? "", node);
      informers.of<KubeObject>(NODES).handle({
        added: set,
        updated: set,
        deleted: (node) => void this.#nodes.delete(node.metadata.name ?? ""),
      });
      return () => Promise.resolve();
    },
  };

  #pod(pod: KubeObject, before: KubeObject | undefined): void {
    const [node, old] = [textAt(pod, "spec", "nodeName"), textAt(before, "spec", "nodeName")];
    if (before !== undefined && before.metadata.uid === pod.metadata.uid && old !== "" && old !== node) {
      this.violations.push(`pod ${keyOf(pod)} was on ${old} and is on ${node}`);
    }
    if (before !== undefined) this.#count(before, -1);
    this.#pods.set(keyOf(pod), pod);
    this.#count(pod, 1);
    if (node !== "" && old === "") this.#happened.push(`pod ${keyOf(pod)} is on ${node}`);
    const [phase, was] = [textAt(pod, "status", "phase"), textAt(before, "status", "phase")];
    if (phase !== was && phase !== "Pending") this.#happened.push(`pod ${keyOf(pod)} is ${phase}`);
  }

  #count(pod: KubeObject, sign: 1 | -1): void {
    if (hasEnded(pod)) return;
    const requests = requestsOf(pod);
    count(this.#used, pod.metadata.namespace ?? "", requests, sign);
    const node = textAt(pod, "spec", "nodeName");
    if (node === "") return;
    const taken = count(this.#taken, node, requests, sign);
    const object = this.#nodes.get(node);
    if (sign < 0 || object === undefined) return;
    const most = ["cpu", "memory", "pods"].map((name) => amount(textAt(object, "status", "allocatable", name)));
    if (taken.some((one, index) => exceeds(one, most[index] ?? 0))) {
      this.violations.push(`node ${node} is too full: ${taken.join(", ")} of ${most.join(", ")}`);
    }
  }

  /** What became of pods since this was asked last, in the order of their names. */
  takeHappened(): readonly string[] {
    const happened = this.#happened.sort();
    this.#happened = [];
    return happened;
  }

  /** All that there is of a kind, by its plural. */
  all(resource: Watched): readonly KubeObject[] {
    const found = WATCHED.find((one) => one.resource === resource);
    return found === undefined ? [] : [...(this.#informers?.find(found)?.all() ?? [])];
  }

  nodes(): IterableIterator<KubeObject> {
    return this.#nodes.values();
  }

  /** What is taken of a node. */
  taken(node: string): Readonly<Amounts> {
    return this.#taken.get(node) ?? [0, 0, 0];
  }

  /** What the pods of a namespace ask for, and how many they are. */
  used(namespace: string): Readonly<Amounts> {
    return this.#used.get(namespace) ?? [0, 0, 0];
  }

  pods(): IterableIterator<KubeObject> {
    return this.#pods.values();
  }

  get counts(): Counts {
    const counts = { pending: 0, running: 0, ended: 0 };
    for (const pod of this.#pods.values()) {
      if (hasEnded(pod)) counts.ended++;
      else if (textAt(pod, "status", "phase") === "Running") counts.running++;
      else counts.pending++;
    }
    const isReady = (node: KubeObject): boolean =>
      listAt(node, "status", "conditions").some(
        (one) => textAt(one, "type") === "Ready" && textAt(one, "status") === "True",
      );
    return { ...counts, nodesReady: [...this.#nodes.values()].filter(isReady).length };
  }
}
