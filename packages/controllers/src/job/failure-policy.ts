import type { FailureRule, Job } from "../types/jobs.ts";
import type { Pod } from "../types/pod.ts";

/** What a job makes of a pod that failed. */
export interface Verdict {
  readonly action: FailureRule["action"];
  /** Why the job fails, for `FailJob`. */
  readonly message?: string;
}

/** The first rule that a failed pod matches decides; without one it counts. */
export function judge({ spec }: Job, pod: Pod): Verdict {
  for (const [at, rule] of (spec?.podFailurePolicy?.rules ?? []).entries()) {
    const why = whyMatches(rule, pod);
    if (why !== undefined)
      return { action: rule.action, message: `${why} matching ${rule.action} rule at index ${at}` };
  }
  return { action: "Count" };
}

function whyMatches({ onExitCodes, onPodConditions }: FailureRule, pod: Pod): string | undefined {
  const { name = "", namespace = "" } = pod.metadata;
  if (onExitCodes !== undefined) {
    const { containerName, operator, values } = onExitCodes;
    const all = [...(pod.status?.containerStatuses ?? []), ...(pod.status?.initContainerStatuses ?? [])];
    for (const status of all) {
      const exitCode = status.state?.terminated?.exitCode ?? 0;
      if (exitCode === 0 || (containerName !== undefined && containerName !== status.name)) continue;
      if (values.includes(exitCode) === (operator === "In")) {
        return `Container ${status.name} for pod ${namespace}/${name} failed with exit code ${exitCode}`;
      }
    }
  }
  for (const pattern of onPodConditions ?? []) {
    const { type, status = "True" } = pattern;
    if (pod.status?.conditions?.some((one) => one.type === type && one.status === status) === true) {
      return `Pod ${namespace}/${name} has condition ${type}`;
    }
  }
  return undefined;
}
