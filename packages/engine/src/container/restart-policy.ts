import { InvalidArgument } from "@boxship/base";
import type { RestartPolicy } from "./config.ts";

const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 60_000;
/** A run this long counts as a success: the delay starts over. */
const STABLE_RUN_MS = 10_000;

export const NO_RESTART: RestartPolicy = { name: "no", maximumRetryCount: 0 };

/** Refuses a policy that contradicts itself. */
export function checkRestartPolicy(policy: RestartPolicy, autoRemove: boolean): void {
  if (policy.maximumRetryCount !== 0 && policy.name !== "on-failure") {
    throw new InvalidArgument(
      `invalid restart policy: maximum retry count can only be used with 'on-failure' (got '${policy.name}')`,
    );
  }
  if (policy.maximumRetryCount < 0) {
    throw new InvalidArgument("invalid restart policy: maximum retry count cannot be negative");
  }
  if (autoRemove && policy.name !== "no") {
    throw new InvalidArgument("can't create 'AutoRemove' container with restart policy", {
      remedy: "leave out --rm or --restart",
    });
  }
}

export interface RestartQuestion {
  readonly policy: RestartPolicy;
  readonly exitCode: number;
  readonly stoppedByUser: boolean;
  /** How often it was restarted since the user last started it. */
  readonly restartCount: number;
}

/** Whether a container whose process has just ended is to be started again. */
export function shouldRestart({ policy, exitCode, stoppedByUser, restartCount }: RestartQuestion): boolean {
  if (stoppedByUser) return false;
  switch (policy.name) {
    case "no":
      return false;
    case "always":
    case "unless-stopped":
      return true;
    case "on-failure":
      return exitCode !== 0 && (policy.maximumRetryCount === 0 || restartCount < policy.maximumRetryCount);
  }
}

/**
 * Whether a stopped container is to be started when the engine comes up (after a reboot, say): as after an exit, only
 * that `always` also brings back what the user had stopped.
 */
export function shouldStartOnBoot(question: RestartQuestion): boolean {
  return question.policy.name === "always" || shouldRestart(question);
}

/** Doubling delay between restarts: 100 ms up to a minute, over again after a run of ten seconds. */
export function nextDelay(previousMs: number | undefined, ranMs: number): number {
  if (previousMs === undefined || ranMs >= STABLE_RUN_MS) return FIRST_DELAY_MS;
  return Math.min(previousMs * 2, LONGEST_DELAY_MS);
}
