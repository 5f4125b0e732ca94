import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { errorMessage, systemCode } from "@boxship/base";
import { signalNumber } from "@boxship/kernel";
import type { Reconciled } from "../contract.ts";
import { endProcess, findConmons, openProcess, sendQuietly } from "./conmon-process.ts";
import type { Context } from "./context.ts";
import { removeContainer } from "./delete.ts";
import type { ExecPids } from "./exec-pids.ts";
import { readPid, readRecord, readSmallFile } from "./record.ts";

/** Names in a directory, none when it does not exist. */
async function namesIn(directory: string): Promise<readonly string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return [];
    throw error;
  }
}

/** Ids of bundles, conmons, exit files and runtime states below our `runDir`. */
export async function listLeftovers(context: Context): Promise<readonly string[]> {
  const { layout } = context;
  const states = [...context.runtimes.keys()].map((name) => namesIn(layout.stateRoot(name)));
  const ids = new Set([
    ...(await namesIn(layout.bundles)),
    ...(await findConmons(layout)).keys(),
    // A name with a further suffix is a temporary file of conmon's.
    ...(await namesIn(layout.exits)),
    ...(await Promise.all(states)).flat(),
  ]);
  // crun keeps its cache of seccomp filters beside the states.
  return [...ids].filter((id) => !id.startsWith(".")).sort();
}

/** See the contract. Goes on after a failure, which is logged. */
export async function reconcile(context: Context, live: Iterable<string>, pids: ExecPids): Promise<Reconciled> {
  const keep = new Set(live);
  const execsKilled = await endExecs(context, pids);
  const conmons = await findConmons(context.layout);
  const removed: string[] = [];
  for (const id of await listLeftovers(context)) {
    if (keep.has(id)) continue;
    try {
      await removeContainer(context, id);
      await removeRemains(context, id, conmons.get(id));
      removed.push(id);
    } catch (error) {
      context.logger.error("cannot remove the remains of a container", { container: id, error: errorMessage(error) });
    }
  }
  return { removed, execsKilled };
}

/** What has no record any more: only pieces that the bundle led to. */
async function removeRemains(context: Context, id: string, conmon: number | undefined): Promise<void> {
  if (conmon !== undefined) await endProcess(context, conmon, true);
  for (const name of context.runtimes.keys()) {
    await rm(join(context.layout.stateRoot(name), id), { recursive: true, force: true });
  }
  await rm(context.layout.exitFile(id), { force: true });
}

/** Kills processes that an earlier daemon executed in containers; those of this one are left alone. */
async function endExecs(context: Context, pids: ExecPids): Promise<readonly number[]> {
  const { layout, cgroups } = context;
  const killed: number[] = [];
  for (const name of await namesIn(layout.execs)) {
    if (!name.endsWith(".container")) continue;
    const execId = name.slice(0, -".container".length);
    if (pids.expects(execId)) continue;
    const container = readSmallFile(layout.execFile(execId, "container"));
    const pid = readPid(layout.execFile(execId, "pid"));
    const record = container === undefined ? undefined : readRecord(layout, container);
    // Only a member of the container's cgroup is still that process.
    if (pid !== undefined && record !== undefined && cgroups.processes(record.cgroupsPath).includes(pid)) {
      using process = openProcess(pid);
      if (process !== undefined && sendQuietly(process, signalNumber("SIGKILL"))) killed.push(pid);
    }
    for (const file of ["pid", "process.json", "container"] as const) {
      await rm(layout.execFile(execId, file), { force: true });
    }
  }
  return killed;
}
