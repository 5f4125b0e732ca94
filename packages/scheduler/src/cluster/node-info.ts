import { type KubeObject, type Labels, parseQuantity, quantityNumber, type Selectable } from "@boxship/api";
import type { HostPort, PodInfo } from "../pod/pod-info.ts";
import { addResources, noResources, type Resources, resourcesOf } from "../pod/resources.ts";
import { type NodeSpec, nodeSpecOf, nodeStatusOf } from "../pod/types.ts";

export const ANY_ADDRESS = "0.0.0.0";

/** A node, what is on it, and what that takes. */
export class NodeInfo implements Selectable {
  readonly name: string;
  /** By key. */
  readonly pods = new Map<string, PodInfo>();
  readonly requested: Resources = noResources();
  /** With what containers count as that ask for nothing. */
  readonly scored = { cpu: 0, memory: 0 };
  /** What is left, kept beside what it is the difference of: it is looked at for hundreds of nodes and every pod. */
  readonly free = { cpu: 0, memory: 0, pods: 0 };
  readonly #ports = new Map<string, number>();
  node: KubeObject;
  labels: Labels = {};
  spec: NodeSpec = {};
  allocatable: Resources = noResources();
  mostPods = 0;
  /** Sizes in bytes of images that are there, by every name. */
  images: ReadonlyMap<string, number> = new Map();

  constructor(node: KubeObject) {
    this.name = node.metadata.name ?? "";
    this.node = node;
    this.update(node);
  }

  update(node: KubeObject): void {
    const { allocatable = {}, images = [] } = nodeStatusOf(node);
    this.node = node;
    this.labels = node.metadata.labels ?? {};
    this.spec = nodeSpecOf(node);
    this.allocatable = resourcesOf(allocatable);
    const pods = parseQuantity(String(allocatable["pods"] ?? 0));
    this.mostPods = pods === undefined ? 0 : quantityNumber(pods);
    this.#countFree();
    this.images = new Map(
      images.flatMap(({ names, sizeBytes = 0 }) => (names ?? []).map((name) => [name, sizeBytes] as const)),
    );
  }

  add(pod: PodInfo): void {
    this.pods.set(pod.key, pod);
    this.#count(pod, 1);
  }

  remove(pod: PodInfo): void {
    if (this.pods.delete(pod.key)) this.#count(pod, -1);
  }

  #count({ requests, hostPorts }: PodInfo, sign: 1 | -1): void {
    addResources(this.requested, requests.asked, sign);
    this.scored.cpu += sign * requests.scored.cpu;
    this.scored.memory += sign * requests.scored.memory;
    this.#countFree();
    for (const { ip, protocol, port } of hostPorts) {
      const key = `${protocol} ${port} ${ip}`;
      this.#ports.set(key, (this.#ports.get(key) ?? 0) + sign);
    }
  }

  #countFree(): void {
    this.free.cpu = this.allocatable.cpu - this.requested.cpu;
    this.free.memory = this.allocatable.memory - this.requested.memory;
    this.free.pods = this.mostPods - this.pods.size;
  }

  /** Whether somebody listens there already: on that address, or on all. */
  hasPort({ ip, protocol, port }: HostPort): boolean {
    if (this.#ports.size === 0) return false;
    const taken = (address: string): boolean => (this.#ports.get(`${protocol} ${port} ${address}`) ?? 0) > 0;
    if (ip !== ANY_ADDRESS) return taken(ip) || taken(ANY_ADDRESS);
    const prefix = `${protocol} ${port} `;
    return [...this.#ports].some(([key, count]) => count > 0 && key.startsWith(prefix));
  }
}
