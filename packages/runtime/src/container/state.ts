import { existsSync } from "node:fs";
import { join } from "node:path";
import { openCgroup } from "@boxship/kernel";
import type { ContainerState, ExitStatus } from "../contract.ts";
import { abandonedExit, conmonEnded, killRemains } from "./conmon-end.ts";
import { conmonOf } from "./conmon-process.ts";
import type { Context } from "./context.ts";
import { type ReportedExit, readExit } from "./exit-watch.ts";
import type { Layout } from "./layout.ts";
import { type ContainerRecord, readPid, readRecord } from "./record.ts";

/** Completes conmon's report with what the container's cgroup knows; done before the cgroup is removed. */
export function completeExit(layout: Layout, id: string, exit: ReportedExit): ExitStatus {
  const record = readRecord(layout, id);
  return { ...exit, oomKilled: record !== undefined && openCgroup(record.cgroupsPath).outOfMemoryKills() > 0 };
}

/** What a container is doing, from the files that conmon and the runtime keep. Starts no process. */
export function containerState(context: Context, id: string): ContainerState {
  const { layout, exits } = context;
  const ended = exits.ended(id);
  if (ended !== undefined) return { status: "stopped", exit: ended };
  const record = readRecord(layout, id);
  if (record === undefined) return { status: "absent" };
  const exit = readExit(layout, id);
  if (exit !== undefined) return { status: "stopped", exit: completeExit(layout, id, exit) };
  const pid = readPid(layout.bundleFile(id, "pid"));
  if (pid === undefined) return { status: "absent" };
  if (conmonOf(context, id) === undefined) {
    // It may have reported and ended between the two looks.
    const report = readExit(layout, id) ?? abandonedExit(context);
    return { status: "stopped", exit: completeExit(layout, id, report) };
  }
  if (waitsToStart(context, id, record)) return { status: "created", pid };
  return { status: openCgroup(record.cgroupsPath).frozen() ? "paused" : "running", pid };
}

function waitsToStart({ layout }: Context, id: string, record: ContainerRecord): boolean {
  return existsSync(join(layout.stateRoot(record.runtime), id, "exec.fifo"));
}

/** See the contract. A container that was never fully created is absent. */
export async function adoptContainer(context: Context, id: string): Promise<ContainerState> {
  const { exits } = context;
  const state = containerState(context, id);
  if (exits.expects(id) || exits.ended(id) !== undefined || state.status === "absent") return state;
  if (state.status === "stopped") {
    // Without a report of conmon its processes may still be there.
    if (readExit(context.layout, id) === undefined) await killRemains(context, id);
    return state;
  }
  exits.expect(id);
  const conmon = conmonOf(context, id);
  if (conmon !== undefined) context.conmons.watch(id, conmon, () => conmonEnded(context, id));
  else await conmonEnded(context, id);
  exits.check(id);
  return containerState(context, id);
}
