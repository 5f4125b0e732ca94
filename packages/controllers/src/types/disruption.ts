import type { KubeObject, LabelSelectorObject } from "@boxship/api";
import type { Condition } from "./pod.ts";
import type { IntOrPercent } from "./workloads.ts";

export interface DisruptionBudget extends KubeObject {
  spec?: {
    minAvailable?: IntOrPercent;
    maxUnavailable?: IntOrPercent;
    selector?: LabelSelectorObject;
    unhealthyPodEvictionPolicy?: string;
  };
  status?: DisruptionStatus;
}

export type DisruptionStatus = {
  observedGeneration?: number;
  disruptedPods?: { [name: string]: string };
  disruptionsAllowed: number;
  currentHealthy: number;
  desiredHealthy: number;
  expectedPods: number;
  conditions?: Condition[];
};
