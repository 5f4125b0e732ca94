import { readlinkSync } from "node:fs";
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
  const { child, complaint } = unshared(["--user", "--mount", "--net", ...(cgroup ? ["--cgroup"] : [])]);
  try {
    await hasOwnNamespaces(child, complaint);
    await mapIds("uid", mappers.uid, child.pid, mapArguments(user.uid, ranges.uid));
    await mapIds("gid", mappers.gid, child.pid, mapArguments(user.gid, ranges.gid));
  } catch (error) {
    child.kill(SIGKILL);
    throw error;
  }
  const started = runningProcess(child.pid);
  if (started === undefined) throw noNamespaces("the process that holds them ended at once");
  child.unref();
  return started;
}

function noNamespaces(reason: string, remedy = "start the engine as root"): FailedPrecondition {
  return new FailedPrecondition(`this machine does not let users make user namespaces: ${reason}`, { remedy });
}

interface Unshared {
  readonly child: Process;
  readonly complaint: Promise<string>;
}

/** Mounts that the machine makes later are seen inside, too; never the other way round. */
function unshared(namespaces: readonly string[]): Unshared {
  using errors = pipe();
  const child = spawnProcess({
    file: requireProgram("unshare", "util-linux"),
    args: [...namespaces, "--propagation", "slave", "--", "sleep", "infinity"],
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
  throw noNamespaces((await complaint).trim().replace(/^unshare: /, "") || "unshare ended without a word");
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
