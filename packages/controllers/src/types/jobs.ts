import type { JsonObject, KubeObject, LabelSelectorObject, ObjectMeta } from "@boxship/api";
import type { Condition, PodTemplate } from "./pod.ts";

export type FailureRule = {
  action: "Count" | "FailIndex" | "FailJob" | "Ignore";
  onExitCodes?: { containerName?: string; operator: "In" | "NotIn"; values: number[] };
  onPodConditions?: { type: string; status?: string }[];
};

export type SuccessRule = { succeededIndexes?: string; succeededCount?: number };

export type JobSpec = {
  parallelism?: number;
  completions?: number;
  completionMode?: string;
  backoffLimit?: number;
  backoffLimitPerIndex?: number;
  maxFailedIndexes?: number;
  activeDeadlineSeconds?: number;
  ttlSecondsAfterFinished?: number;
  suspend?: boolean;
  selector?: LabelSelectorObject;
  template?: PodTemplate;
  podFailurePolicy?: { rules: FailureRule[] };
  successPolicy?: { rules: SuccessRule[] };
  podReplacementPolicy?: string;
  managedBy?: string;
};

export type JobStatus = {
  conditions?: Condition[];
  startTime?: string;
  completionTime?: string;
  active?: number;
  ready?: number;
  succeeded?: number;
  failed?: number;
  terminating?: number;
  completedIndexes?: string;
  failedIndexes?: string;
  uncountedTerminatedPods?: { succeeded?: string[]; failed?: string[] };
};

export interface Job extends KubeObject {
  spec?: JobSpec;
  status?: JobStatus;
}

export type JobReference = {
  apiVersion?: string;
  kind?: string;
  name?: string;
  namespace?: string;
  uid?: string;
  resourceVersion?: string;
};

export interface CronJob extends KubeObject {
  spec?: {
    schedule?: string;
    timeZone?: string;
    startingDeadlineSeconds?: number;
    concurrencyPolicy?: string;
    suspend?: boolean;
    jobTemplate?: JsonObject & { metadata?: ObjectMeta; spec?: JobSpec };
    successfulJobsHistoryLimit?: number;
    failedJobsHistoryLimit?: number;
  };
  status?: { active?: JobReference[]; lastScheduleTime?: string; lastSuccessfulTime?: string };
}
