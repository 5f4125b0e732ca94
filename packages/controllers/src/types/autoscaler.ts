import type { JsonObject, KubeObject, LabelSelectorObject } from "@boxship/api";
import type { Condition } from "./pod.ts";

/** `autoscaling/v2.HorizontalPodAutoscaler`. */
export interface Autoscaler extends KubeObject {
  spec?: JsonObject & {
    scaleTargetRef: ObjectReference;
    minReplicas?: number;
    maxReplicas: number;
    metrics?: MetricSpec[];
    behavior?: { scaleUp?: ScalingRules; scaleDown?: ScalingRules };
  };
  status?: AutoscalerStatus;
}

export type ObjectReference = { apiVersion?: string; kind: string; name: string };

export type AutoscalerStatus = JsonObject & {
  observedGeneration?: number;
  lastScaleTime?: string;
  currentReplicas?: number;
  desiredReplicas?: number;
  currentMetrics?: JsonObject[] | null;
  conditions?: Condition[];
};

export type ScalingRules = {
  policies?: { type: string; value: number; periodSeconds: number }[];
  selectPolicy?: string;
  stabilizationWindowSeconds?: number;
  tolerance?: string;
};

export type MetricTarget = { type: string; value?: string; averageValue?: string; averageUtilization?: number };
export type MetricIdentifier = { name: string; selector?: LabelSelectorObject };

export type MetricSpec = {
  type: string;
  resource?: { name: string; target: MetricTarget };
  containerResource?: { name: string; container: string; target: MetricTarget };
  pods?: { metric: MetricIdentifier; target: MetricTarget };
  object?: { describedObject: ObjectReference; metric: MetricIdentifier; target: MetricTarget };
  external?: { metric: MetricIdentifier; target: MetricTarget };
};

/** `autoscaling/v1.Scale`. */
export interface Scale extends KubeObject {
  spec?: JsonObject & { replicas?: number };
  status?: JsonObject & { replicas?: number; selector?: string };
}
