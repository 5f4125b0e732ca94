import type { Promises } from "../cycle/find-node.ts";
import type { PodInfo } from "../pod/pod-info.ts";

/** Pods for which others had to go, and the nodes where these were: `status.nominatedNodeName`, known before it is written. */
export class PromisedPlaces implements Promises {
  readonly #byNode = new Map<string, Map<string, PodInfo>>();
  readonly #nodes = new Map<string, string>();

  get size(): number {
    return this.#nodes.size;
  }

  set(pod: PodInfo, nodeName: string): void {
    this.delete(pod.uid);
    this.#nodes.set(pod.uid, nodeName);
    const pods = this.#byNode.get(nodeName) ?? new Map<string, PodInfo>();
    pods.set(pod.uid, pod);
    this.#byNode.set(nodeName, pods);
  }

  delete(uid: string): void {
    const nodeName = this.#nodes.get(uid);
    if (nodeName === undefined) return;
    this.#nodes.delete(uid);
    const pods = this.#byNode.get(nodeName);
    pods?.delete(uid);
    if (pods?.size === 0) this.#byNode.delete(nodeName);
  }

  nodeOf(uid: string): string | undefined {
    return this.#nodes.get(uid);
  }

  on(nodeName: string): readonly PodInfo[] {
    const pods = this.#byNode.get(nodeName);
    return pods === undefined ? NONE : [...pods.values()];
  }
}

const NONE: readonly PodInfo[] = [];
