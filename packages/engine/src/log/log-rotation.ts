import { LogRotation } from "@boxship/runtime";
import type { EngineContext } from "../context.ts";
import { logPathOf } from "./log-path.ts";
import type { LogPlan } from "./log-plan.ts";

/** Keeps a running container's log within its limits until it is disposed. */
export function startLogRotation(context: EngineContext, id: string, plan: LogPlan): AsyncDisposable {
  return new LogRotation({
    path: logPathOf(context, id),
    maxSize: plan.maxSize,
    maxFile: plan.maxFile,
    compress: plan.compress,
    isNeeded: (identity) => context.logForwarding.needs(id, identity),
    reopen: () => context.runtime.reopenLog(id),
    clock: context.clock,
    logger: context.logger,
  });
}
