import { killIfThere, SIGKILL } from "@boxship/kernel";
import { type EngineContext, eventAttributes, liveOf } from "../context.ts";
import { createExec } from "../exec/exec-create.ts";
import { startExec } from "../exec/exec-start.ts";
import type { HealthConfig } from "./config.ts";
import { HealthMonitor, hasHealthTest, type ProbeResult } from "./health-monitor.ts";
import type { ContainerRecord } from "./record.ts";

const KEPT_OUTPUT = 4096;

/** Begins to probe a container that has just started (or been found running). Without a health check: nothing. */
export function startHealth(context: EngineContext, record: ContainerRecord): void {
  const config = record.effective.healthcheck;
  if (!hasHealthTest(config)) return;
  const live = liveOf(context, record.id);
  live.health?.[Symbol.dispose]();
  live.health = new HealthMonitor({
    config,
    clock: context.clock,
    probe: (signal) => probe(context, record, config, signal),
    onStatus: (status) =>
      context.events.publish("container", `health_status: ${status}`, record.id, eventAttributes(record)),
  });
}

function probeCommand(record: ContainerRecord, { test = [] }: HealthConfig): readonly string[] {
  const [kind, ...rest] = test;
  return kind === "CMD-SHELL" ? [...(record.effective.shell ?? ["/bin/sh", "-c"]), ...rest] : rest;
}

async function probe(
  context: EngineContext,
  record: ContainerRecord,
  config: HealthConfig,
  signal: AbortSignal,
): Promise<ProbeResult> {
  const id = createExec(context, record.id, {
    cmd: probeCommand(record, config),
    attachStdout: true,
    attachStderr: true,
  });
  const session = await startExec(context, id);
  const exec = context.execs.get(id);
  const stop = () => {
    // It may have ended with its container, whose exit is still to be told.
    if (exec.state.status === "running") killIfThere(exec.state.handle.pid, SIGKILL);
    session.close();
  };
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  try {
    let output = "";
    for await (const frame of session.output) {
      if (output.length < KEPT_OUTPUT) output += frame.data.toString();
    }
    const exitCode = exec.state.status === "exited" ? exec.state.exitCode : -1;
    return { exitCode, output };
  } finally {
    signal.removeEventListener("abort", stop);
    context.execs.forgetOne(id);
  }
}
