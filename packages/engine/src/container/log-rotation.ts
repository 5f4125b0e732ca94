import { LogRotation } from "@boxship/runtime";
import type { EngineContext } from "../context.ts";
import type { LogLimits } from "./log-limits.ts";

/** Keeps a running container's log within its limits until it is disposed. */
export function startLogRotation(context: EngineContext, id: string, path: string, limits: LogLimits): AsyncDisposable {
  return new LogRotation({
    path,
    maxSize: limits.maxSize,
    maxFile: limits.maxFile,
    compress: limits.compress,
    reopen: () => context.runtime.reopenLog(id),
    clock: context.clock,
    logger: context.logger,
  });
}
