import type { ContainerSpec, Pod } from "../types.ts";

/** Whether a container that has ended so is started again: by the first of its rules that fits, its own policy, or its pod's. */
export function startsAgain(pod: Pod, spec: ContainerSpec, exitCode: number): boolean {
  const fits = (spec.restartPolicyRules ?? []).some(({ exitCodes: { operator, values = [] } = {} }) =>
    operator === "NotIn" ? !values.includes(exitCode) : operator === "In" && values.includes(exitCode),
  );
  // There is but one action: others are refused before a container is made.
  if (fits) return true;
  const policy = spec.restartPolicy ?? pod.spec.restartPolicy ?? "Always";
  return policy === "Always" || (policy === "OnFailure" && exitCode !== 0);
}
