import { Unsupported } from "@boxship/base";
import { type LogBlock, readLogBlocks } from "@boxship/runtime";
import type { EngineContext } from "../context.ts";
import type { LogsOptions } from "../engine-api.ts";
import { logAttributes } from "../log/log-attributes.ts";
import { logPathOf } from "../log/log-path.ts";
import { planLog } from "../log/log-plan.ts";
import { renderTag } from "../log/log-tag.ts";
import { isAlive } from "./state.ts";

/** What a container has printed, and with `follow` what it goes on to print until it ends for good or is removed. */
export async function containerLogs(
  context: EngineContext,
  ref: string,
  options: LogsOptions,
): Promise<AsyncIterable<LogBlock>> {
  const record = context.containers.resolve(ref);
  if (!planLog(record.hostConfig.logConfig, context.options.log).readable) {
    throw new Unsupported("configured logging driver does not support reading", {
      subject: { kind: "container", name: record.name },
      remedy: "start it with another --log-driver, and without cache-disabled",
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

/** What the options of its log add to each entry: labels, variables, a tag. They are shown as details. */
export async function containerLogAttributes(
  context: EngineContext,
  ref: string,
): Promise<Readonly<Record<string, string>>> {
  const record = context.containers.resolve(ref);
  const { driver, options } = planLog(record.hostConfig.logConfig, context.options.log);
  if (driver !== "json-file") return {};
  const tag = renderTag(options["tag"] ?? "", record);
  return { ...(await logAttributes(record)), ...(tag === "" ? {} : { tag }) };
}

/** Resolves when nothing more will be written. */
async function endOf(context: EngineContext, id: string, signal: AbortSignal | undefined): Promise<void> {
  const record = context.containers.get(id);
  if (record === undefined) return;
  // A container that was never started counts as not running, but has everything before it.
  const condition = record.state.status === "created" ? "next-exit" : "not-running";
  await context.waiters.wait(record, condition, signal).catch(() => {});
}
