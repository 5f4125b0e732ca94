import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { errorMessage, sleep, systemCode } from "@boxship/base";
import { pidfdSendIfThere, SIGKILL } from "@boxship/kernel";
import type { Reconciled } from "../contract.ts";
import { endProcess, findConmons, openProcess } from "./conmon-process.ts";
import type { Context } from "./context.ts";
import { removeContainer } from "./delete.ts";
import type { ExecPids } from "./exec-pids.ts";
import { readExit } from "./exit-watch.ts";
import { EXEC_FILES } from "./layout.ts";
import { processesOf } from "./members.ts";
import { readPid, readRecord, readSmallFile } from "./record.ts";

const SETTLE_MS = 100;

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
  const files = await namesOfFiles(context);
  const conmons = await findConmons(context.layout);
  const alone = [...conmons.keys()].some((id) => !files.has(id));
  // One without anything else has written its exit file, which is deleted already, and is about to end.
  if (alone) await sleep(context.clock, SETTLE_MS);
  const left = alone ? await findConmons(context.layout) : conmons;
  return [...new Set([...files, ...left.keys()])].sort();
}

async function namesOfFiles({ layout, runtimes }: Context): Promise<ReadonlySet<string>> {
  const states = [...runtimes.keys()].map((name) => namesIn(layout.stateRoot(name)));
  const ids = [
    ...(await namesIn(layout.bundles)),
    // A name with a further suffix is a temporary file of conmon's.
    ...(await namesIn(layout.exits)),
    ...(await Promise.all(states)).flat(),
  ];
  // crun may keep a cache of seccomp filters beside the states.
  return new Set(ids.filter((id) => !id.startsWith(".")));
}

/** See the contract. Goes on after a failure, which is logged. */
export async function reconcile(context: Context, live: Iterable<string>, pids: ExecPids): Promise<Reconciled> {
  const keep = new Set(live);
  const execsKilled = await endExecs(context, pids);
  const orphans = (await listLeftovers(context)).filter((id) => !keep.has(id));
  const conmons = await settledConmons(context, orphans);
  const removed: string[] = [];
  for (const id of orphans) {
    try {
      await removeOrphan(context, id, conmons.get(id));
      removed.push(id);
    } catch (error) {
      context.logger.error("cannot remove the remains of a container", { container: id, error: errorMessage(error) });
    }
  }
  return { removed, execsKilled };
}

/**
 * The conmons of orphans. One that a daemon was just starting when it was killed has no pid file and is for a moment
 * not recognizable: where a container has neither a conmon nor an exit, a second look decides.
 */
async function settledConmons(context: Context, ids: readonly string[]): Promise<ReadonlyMap<string, number>> {
  const { layout, clock } = context;
  const found = await findConmons(layout);
  const unclear = ids.some(
    (id) => !found.has(id) && readRecord(layout, id) !== undefined && readExit(layout, id) === undefined,
  );
  if (!unclear) return found;
  await sleep(clock, SETTLE_MS);
  return findConmons(layout);
}

/**
 * conmon goes first, and takes a `create` of the runtime that still runs along: nothing is made any more while the rest
 * is removed, also where there is no record.
 */
async function removeOrphan(context: Context, id: string, conmon: number | undefined): Promise<void> {
  if (conmon !== undefined) await endProcess(context, conmon, true);
  await removeContainer(context, id);
  for (const name of context.runtimes.keys()) {
    await rm(join(context.layout.stateRoot(name), id), { recursive: true, force: true });
  }
}

/** Kills processes that an earlier daemon executed in containers; those of this one are left alone. */
async function endExecs(context: Context, pids: ExecPids): Promise<readonly number[]> {
  const { layout } = context;
  const killed: number[] = [];
  for (const name of await namesIn(layout.execs)) {
    if (!name.endsWith(".container")) continue;
    const execId = name.slice(0, -".container".length);
    if (pids.expects(execId)) continue;
    const container = readSmallFile(layout.execFile(execId, "container"));
    const pid = readPid(layout.execFile(execId, "pid"));
    const record = container === undefined ? undefined : readRecord(layout, container);
    // Only a member of the container is still that process.
    const members =
      record === undefined || container === undefined ? [] : await processesOf(context, container, record);
    if (pid !== undefined && members.includes(pid)) {
      using process = openProcess(pid);
      if (process !== undefined && pidfdSendIfThere(process, SIGKILL)) killed.push(pid);
    }
    for (const file of EXEC_FILES) {
      await rm(layout.execFile(execId, file), { force: true });
    }
  }
  return killed;
}
