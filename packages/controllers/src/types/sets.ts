import type { JsonObject, KubeObject, LabelSelectorObject, ObjectMeta } from "@boxship/api";
import type { Condition, PodTemplate } from "./pod.ts";
import type { IntOrPercent } from "./workloads.ts";

export type ClaimTemplate = JsonObject & { metadata?: ObjectMeta; spec?: JsonObject };

export interface StatefulSet extends KubeObject {
  spec?: {
    replicas?: number;
    selector?: LabelSelectorObject;
    template?: PodTemplate;
    serviceName?: string;
    podManagementPolicy?: string;
    updateStrategy?: { type?: string; rollingUpdate?: { partition?: number; maxUnavailable?: IntOrPercent } };
    revisionHistoryLimit?: number;
    minReadySeconds?: number;
    volumeClaimTemplates?: ClaimTemplate[];
    persistentVolumeClaimRetentionPolicy?: { whenDeleted?: string; whenScaled?: string };
    ordinals?: { start?: number };
  };
  status?: StatefulSetStatus;
}

export type StatefulSetStatus = {
  observedGeneration?: number;
  replicas?: number;
  readyReplicas?: number;
  availableReplicas?: number;
  currentReplicas?: number;
  updatedReplicas?: number;
  currentRevision?: string;
  updateRevision?: string;
  collisionCount?: number;
  conditions?: Condition[];
};

export interface DaemonSet extends KubeObject {
  spec?: {
    selector?: LabelSelectorObject;
    template?: PodTemplate;
    updateStrategy?: { type?: string; rollingUpdate?: { maxUnavailable?: IntOrPercent; maxSurge?: IntOrPercent } };
    revisionHistoryLimit?: number;
    minReadySeconds?: number;
  };
  status?: DaemonSetStatus;
}

export type DaemonSetStatus = {
  observedGeneration?: number;
  currentNumberScheduled?: number;
  desiredNumberScheduled?: number;
  numberMisscheduled?: number;
  numberReady?: number;
  updatedNumberScheduled?: number;
  numberAvailable?: number;
  numberUnavailable?: number;
  collisionCount?: number;
  conditions?: Condition[];
};

export type Taint = { key: string; value?: string; effect: string; timeAdded?: string };

export interface Node extends KubeObject {
  spec?: { taints?: Taint[]; unschedulable?: boolean; podCIDR?: string; providerID?: string };
  status?: JsonObject & { conditions?: Condition[] };
}
