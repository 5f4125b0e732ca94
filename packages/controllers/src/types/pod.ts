import type { JsonObject, KubeObject, ObjectMeta } from "@boxship/api";

/** What controllers read and write of `v1.Pod`. */
export interface Pod extends KubeObject {
  spec?: PodSpec;
  status?: PodStatus;
}

export type PodSpec = JsonObject & {
  nodeName?: string;
  containers?: Container[];
  initContainers?: Container[];
  volumes?: JsonObject[];
  tolerations?: Toleration[];
  nodeSelector?: { [label: string]: string };
  affinity?: JsonObject;
  restartPolicy?: string;
  hostname?: string;
  subdomain?: string;
  readinessGates?: JsonObject[];
  schedulingGates?: JsonObject[];
  terminationGracePeriodSeconds?: number;
};

export type Container = JsonObject & {
  name: string;
  image?: string;
  ports?: (JsonObject & { name?: string; containerPort?: number; protocol?: string })[];
  env?: (JsonObject & { name: string; value?: string })[];
};

export type Toleration = {
  key?: string;
  operator?: string;
  value?: string;
  effect?: string;
  tolerationSeconds?: number;
};

export type PodStatus = JsonObject & {
  phase?: string;
  conditions?: Condition[];
  containerStatuses?: ContainerStatus[];
  initContainerStatuses?: ContainerStatus[];
  podIP?: string;
  podIPs?: { ip: string }[];
  hostIP?: string;
  reason?: string;
  message?: string;
  startTime?: string;
};

export type ContainerStatus = JsonObject & {
  name: string;
  restartCount?: number;
  ready?: boolean;
  state?: { terminated?: JsonObject & { exitCode?: number; finishedAt?: string } } & JsonObject;
};

export type Condition = {
  type: string;
  status: string;
  reason?: string;
  message?: string;
  observedGeneration?: number;
  lastTransitionTime?: string;
  lastUpdateTime?: string;
  lastProbeTime?: string | null;
};

export type PodTemplate = JsonObject & { metadata?: ObjectMeta; spec?: PodSpec };
