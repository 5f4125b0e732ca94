import { readdirSync, readlinkSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { DeadlineExceeded, errorMessage, FailedPrecondition, systemCode } from "@boxship/base";
import { type IdKind, type Process, pipe, readableFrom, runProcess, SIGKILL, spawnProcess } from "@boxship/kernel";
import { requireProgram, userNamespaceObstacle } from "./programs.ts";
import { type RunningProcess, runningProcess } from "./running-process.ts";
import { mapArguments, subordinateRanges, type User } from "./subordinate-ids.ts";

const PATIENCE_MS = 10_000;

/**
 * Makes the namespaces of an instance and the process that keeps them: nothing but a sleep, so that daemons come and go
 * while containers, mounts, bridges and rules stay.
 *
 * @throws FailedPrecondition naming what this machine lacks, and what to do
 */
export async function startHolder(
  user: User,
  { cgroup = false }: { /** @default false */ readonly cgroup?: boolean } = {},
): Promise<RunningProcess> {
  const mappers = { uid: requireProgram("newuidmap", "uidmap"), gid: requireProgram("newgidmap", "uidmap") };
  const ranges = { uid: subordinateRanges("uid", user), gid: subordinateRanges("gid", user) };
  const obstacle = userNamespaceObstacle();
  if (obstacle !== undefined) throw noNamespaces(obstacle.reason, obstacle.remedy);
  // Mounts that the machine makes later are seen inside, too; never the other way round.
  const process = started(requireProgram("unshare", "util-linux"), [
    ...["--user", "--mount", "--net", ...(cgroup ? ["--cgroup"] : [])],
    ...["--propagation", "slave", "--", "sleep", "infinity"],
  ]);
  return holding(process, async ({ pid }) => {
    await mapIds("uid", mappers.uid, pid, mapArguments(user.uid, ranges.uid));
    await mapIds("gid", mappers.gid, pid, mapArguments(user.gid, ranges.gid));
  });
}

const KINDS = ["user", "mnt", "net", "cgroup"] as const;
type Kind = (typeof KINDS)[number];

/** The kernel's names of the namespaces that a holder keeps. */
export type HeldNamespaces = Readonly<Record<Kind, string>>;

/** Undefined for a process that is gone, or somebody else's. */
export function namespacesOf(pid: number): HeldNamespaces | undefined {
  const [user, mnt, net, cgroup] = KINDS.map((kind) => link(`/proc/${pid}/ns/${kind}`));
  if (user === undefined || mnt === undefined || net === undefined || cgroup === undefined) return undefined;
  return { user, mnt, net, cgroup };
}

/**
 * Processes in each of the namespaces, which live on without their holder as long as there are some: monitors of
 * containers, the forwarder of ports. Looks at every process of the machine.
 *
 * @returns undefined when one of the namespaces is gone
 */
export function survivorsIn(held: HeldNamespaces): Readonly<Record<Kind, number>> | undefined {
  const found: Partial<Record<Kind, number>> = {};
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  for (const pid of pids) {
    for (const kind of KINDS) {
      if (found[kind] === undefined && link(`/proc/${pid}/ns/${kind}`) === held[kind]) found[kind] = Number(pid);
    }
  }
  const { user, mnt, net, cgroup } = found;
  if (user === undefined || mnt === undefined || net === undefined || cgroup === undefined) return undefined;
  return { user, mnt, net, cgroup };
}

/** Every process of this one's user namespace, itself included. */
export function processesBeside(): readonly number[] {
  const own = readlinkSync("/proc/self/ns/user");
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return pids.filter((pid) => link(`/proc/${pid}/ns/user`) === own).map(Number);
}

/** Starts another holder for namespaces that have lost theirs. @param survivors processes in them */
export async function startHolderIn(
  survivors: Readonly<Record<Kind, number>>,
  { cgroup }: { readonly cgroup: boolean },
): Promise<RunningProcess> {
  const place = (kind: Kind) => `/proc/${survivors[kind]}/ns/${kind}`;
  const process = started(requireProgram("nsenter", "util-linux"), [
    ...[`--user=${place("user")}`, `--mount=${place("mnt")}`, `--net=${place("net")}`],
    ...(cgroup ? [`--cgroup=${place("cgroup")}`] : []),
    ...["--wd=/", "--", "sleep", "infinity"],
  ]);
  return holding(process);
}

/** The process once it has its namespaces and they are prepared; ended when that fails. */
async function holding(
  { child, complaint }: Started,
  prepare?: (child: Process) => Promise<void>,
): Promise<RunningProcess> {
  try {
    await hasOwnNamespaces(child, complaint);
    await prepare?.(child);
  } catch (error) {
    child.kill(SIGKILL);
    throw error;
  }
  const running = runningProcess(child.pid);
  if (running === undefined) throw noNamespaces("the process that holds them ended at once");
  child.unref();
  return running;
}

function noNamespaces(reason: string, remedy = "start the engine as root"): FailedPrecondition {
  return new FailedPrecondition(`this machine does not let users make user namespaces: ${reason}`, { remedy });
}

interface Started {
  readonly child: Process;
  readonly complaint: Promise<string>;
}

function started(file: string, args: readonly string[]): Started {
  using errors = pipe();
  const child = spawnProcess({
    file,
    args,
    stdio: { 2: errors.writeEnd },
    cwd: "/",
    setsid: true,
  });
  errors.writeEnd.close();
  const stream = readableFrom(errors.readEnd.duplicate());
  const complaint = new Promise<string>((resolve) => {
    let text = "";
    stream.on("data", (data: Buffer) => (text += data.toString()));
    stream.on("close", () => resolve(text));
    stream.on("error", () => resolve(text));
    void child.exited.then(() => delay(20)).then(() => stream.destroy());
  });
  return { child, complaint };
}

async function hasOwnNamespaces(child: Process, complaint: Promise<string>): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  // Closed when it has ended.
  while (!child.pidfd.closed) {
    // With its last command all namespaces are there.
    if (commandOf(child.pid) === "sleep" && isElsewhere(child.pid)) return;
    if (performance.now() > deadline) throw new DeadlineExceeded("new namespaces were not made in time");
    await delay(1);
  }
  throw noNamespaces((await complaint).trim().replace(/^(?:unshare|nsenter): /, "") || "it ended without a word");
}

function isElsewhere(pid: number): boolean {
  return readlinkSync("/proc/self/ns/user") !== link(`/proc/${pid}/ns/user`);
}

function commandOf(pid: number): string | undefined {
  return link(`/proc/${pid}/exe`)?.split("/").at(-1);
}

function link(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch (error) {
    if (["ENOENT", "ESRCH", "EACCES"].includes(systemCode(error) ?? "")) return undefined;
    throw error;
  }
}

async function mapIds(kind: IdKind, program: string, pid: number, map: readonly string[]): Promise<void> {
  const result = await runProcess({ file: program, args: [String(pid), ...map], timeout: PATIENCE_MS });
  if (result.code === 0) return;
  const reason = result.stderr.toString().trim() || `it ended with ${result.code ?? result.signal}`;
  throw new FailedPrecondition(`${kind}s cannot be mapped: ${reason}`, {
    remedy: `see that ${program} is setuid root (reinstall the package uidmap) and that ranges in /etc/sub${kind} do not overlap`,
    cause: errorMessage(reason),
  });
}
