import { FailedPrecondition } from "@boxship/base";
import { type LogBlock, readLogBlocks } from "@boxship/runtime";
import type { EngineContext } from "../context.ts";
import type { LogsOptions } from "../engine-api.ts";
import { logLimits } from "./log-limits.ts";
import { isAlive } from "./state.ts";

/** Where a container's log is written. */
export function logPathOf(context: EngineContext, id: string): string {
  return `${context.containers.directoryOf(id)}/container.log`;
}

/** What a container has printed, and with `follow` what it goes on to print until it ends for good or is removed. */
export async function containerLogs(
  context: EngineContext,
  ref: string,
  options: LogsOptions,
): Promise<AsyncIterable<LogBlock>> {
  const record = context.containers.resolve(ref);
  if (!logLimits(record.hostConfig.logConfig, context.options.log).kept) {
    throw new FailedPrecondition("configured logging driver does not support reading", {
      subject: { kind: "container", name: record.name },
      remedy: "start it with --log-driver json-file",
    });
  }
  const { follow, ...rest } = options;
  const goesOn = isAlive(record.state) || record.state.status === "restarting" || record.state.status === "created";
  return readLogBlocks({
    ...rest,
    path: logPathOf(context, record.id),
    ...(follow === true && goesOn ? { follow: endOf(context, record.id, options.signal) } : {}),
  });
}

/** Resolves when nothing more will be written. */
async function endOf(context: EngineContext, id: string, signal: AbortSignal | undefined): Promise<void> {
  const record = context.containers.get(id);
  if (record === undefined) return;
  // A container that was never started counts as not running, but has everything before it.
  const condition = record.state.status === "created" ? "next-exit" : "not-running";
  await context.waiters.wait(record, condition, signal).catch(() => {});
}
