import type { Json, JsonObject, KubeObject } from "@boxship/api";
import { ClusterState } from "../cluster/cluster-state.ts";
import { describeMisfit } from "../cycle/describe-misfit.ts";
import { NodeFinder } from "../cycle/find-node.ts";
import { podInfoOf } from "../pod/pod-info.ts";
import { PromisedPlaces } from "../preemption/promised-places.ts";
import { defaultProfile } from "../profile.ts";

export interface NodeParts {
  readonly cpu?: string;
  readonly memory?: string;
  readonly pods?: string;
  readonly labels?: Record<string, string>;
  readonly taints?: readonly JsonObject[];
  readonly unschedulable?: boolean;
  readonly images?: readonly JsonObject[];
  readonly others?: Record<string, string>;
}

/** A node with its own name as host name, 4 cores, 8 GiB and room for 110 pods. */
export function node(name: string, parts: NodeParts = {}): KubeObject {
  const { cpu = "4", memory = "8Gi", pods = "110", labels = {}, taints, unschedulable, images, others = {} } = parts;
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name, labels: { "kubernetes.io/hostname": name, ...labels } },
    spec: {
      ...(taints === undefined ? {} : { taints: [...taints] }),
      ...(unschedulable === undefined ? {} : { unschedulable }),
    },
    status: {
      allocatable: { cpu, memory, pods, ...others },
      ...(images === undefined ? {} : { images: [...images] }),
    },
  };
}

export interface PodParts {
  readonly namespace?: string;
  readonly cpu?: string;
  readonly memory?: string;
  readonly labels?: Record<string, string>;
  readonly priority?: number;
  readonly on?: string;
  readonly spec?: JsonObject;
  readonly container?: JsonObject;
  readonly status?: JsonObject;
  readonly metadata?: JsonObject;
}

let serial = 0;

/** A pod of one container. */
export function pod(name: string, parts: PodParts = {}): KubeObject {
  const { namespace = "default", cpu, memory, labels = {}, priority, on, spec = {}, container = {} } = parts;
  const requests: Record<string, Json> = {
    ...(cpu === undefined ? {} : { cpu }),
    ...(memory === undefined ? {} : { memory }),
  };
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace, uid: `uid-${++serial}`, labels, ...parts.metadata },
    spec: {
      containers: [{ name: "main", image: "web", resources: { requests }, ...container }],
      ...(priority === undefined ? {} : { priority }),
      ...(on === undefined ? {} : { nodeName: on }),
      ...spec,
    },
    ...(parts.status === undefined ? {} : { status: parts.status }),
  };
}

/** A cluster without a server. */
export function clusterOf(nodes: readonly KubeObject[], pods: readonly KubeObject[] = []): ClusterState {
  const cluster = new ClusterState();
  cluster.setNamespace("default", { "kubernetes.io/metadata.name": "default" });
  for (const one of nodes) cluster.setNode(one);
  for (const one of pods) {
    const info = podInfoOf(one);
    cluster.setPod(info, info.spec.nodeName ?? "");
  }
  return cluster;
}

/** Where the default profile would put a pod: the node's name, or why there is none. */
export function decide(cluster: ClusterState, one: KubeObject): string {
  const found = new NodeFinder(cluster, new PromisedPlaces(), () => 0.5).find(defaultProfile, podInfoOf(one));
  return "node" in found ? found.node.name : describeMisfit(found.misfit);
}
