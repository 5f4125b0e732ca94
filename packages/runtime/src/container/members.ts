import { readdirSync, readlinkSync, statSync } from "node:fs";
import { DeadlineExceeded, sleep } from "@boxship/base";
import { cgroupLayout, openCgroup, pidfdSendIfThere, SIGKILL } from "@boxship/kernel";
import { openProcess } from "./conmon-process.ts";
import type { Context } from "./context.ts";
import { type ContainerRecord, readPid } from "./record.ts";

const KILL_ROUNDS = 12;

type Access = Pick<Context, "layout" | "clock">;

/**
 * The processes of a container. Its control group knows them; where no groups can be made it is who shares the pid
 * namespace of its first process, or its root file system. Reads the whole process table in that case.
 */
export async function processesOf(context: Access, id: string, record: ContainerRecord): Promise<readonly number[]> {
  if (cgroupLayout() !== "none") return openCgroup(record.cgroupsPath).processes();
  return withoutGroups(context, id, record);
}

/** Kills every process of a container and resolves once none is left. */
export async function killProcessesOf(context: Access, id: string, record: ContainerRecord): Promise<void> {
  if (cgroupLayout() !== "none") return openCgroup(record.cgroupsPath).killAll();
  for (let round = 1; round <= KILL_ROUNDS; round++) {
    const pids = withoutGroups(context, id, record);
    if (pids.length === 0) return;
    for (const pid of pids) {
      using process = openProcess(pid);
      // The number may be another's by now.
      if (process !== undefined && isMember(pid, identityOf(context, id, record))) {
        pidfdSendIfThere(process, SIGKILL);
      }
    }
    await sleep(context.clock, 2 ** Math.min(round, 9));
  }
  throw new DeadlineExceeded(`processes of container ${id} do not end`);
}

interface Identity {
  readonly pidNamespace: string | undefined;
  readonly root: string | undefined;
}

function withoutGroups(context: Pick<Context, "layout">, id: string, record: ContainerRecord): readonly number[] {
  const identity = identityOf(context, id, record);
  if (identity.pidNamespace === undefined && identity.root === undefined) return [];
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => isMember(pid, identity));
}

/** What only the container's processes have; the numbers cannot be another's while its file system is mounted. */
function identityOf({ layout }: Pick<Context, "layout">, id: string, { rootfs }: ContainerRecord): Identity {
  const first = readPid(layout.bundleFile(id, "pid"));
  const root = rootfs === undefined ? undefined : rootOf(rootfs);
  const isFirst = first !== undefined && root !== undefined && rootOf(`/proc/${first}/root`) === root;
  const pidNamespace = isFirst ? link(`/proc/${first}/ns/pid`) : undefined;
  return { root, pidNamespace: pidNamespace === link("/proc/self/ns/pid") ? undefined : pidNamespace };
}

function isMember(pid: number, { pidNamespace, root }: Identity): boolean {
  if (pidNamespace !== undefined && link(`/proc/${pid}/ns/pid`) === pidNamespace) return true;
  return root !== undefined && rootOf(`/proc/${pid}/root`) === root;
}

function rootOf(path: string): string | undefined {
  try {
    const { dev, ino } = statSync(path);
    return `${dev} ${ino}`;
  } catch {
    // Gone, or a process of somebody else.
    return undefined;
  }
}

function link(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
