import { chmodSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { systemCode, Unsupported } from "@boxship/base";
import {
  bindNamespace,
  namespaceId,
  namespacePath,
  openNamespace,
  spawnInProcessNamespace,
  startOwnedProcesses,
  unbindNamespace,
} from "@boxship/kernel";
import { holdingProgram } from "@boxship/runtime";
import type { EngineContext } from "../context.ts";

/** What lists of processes show of it. */
const NAME = "boxship-pod";

/**
 * Makes the process namespace that a pod's containers share. It ends with its first process: one that does nothing, in a program of
 * our own of 188 bytes. Outlives this process.
 *
 * @param directory of the pod's mounts: the namespace is bound in there, and the process's number kept
 * @param users path of the user namespace that it belongs to. @default the machine's
 */
export async function holdProcesses({ options }: EngineContext, directory: string, users?: string): Promise<void> {
  const file = holdingFile(options.root);
  // Nothing but a name: by it those are found that somebody was about to note when he was killed.
  const args = [directory];
  const pid = users === undefined ? holdHere(file, args) : await startOwnedProcesses(users, { file, args });
  using namespace = openNamespace(namespacePath("pid", pid));
  bindNamespace(namespace, join(directory, "pid"));
  writeFileSync(join(directory, "holder"), String(pid), { mode: 0o600 });
}

function holdHere(file: string, args: readonly string[]): number {
  const holder = spawnInProcessNamespace({ file, argv0: NAME, args, env: {}, cwd: "/", setsid: true });
  holder.unref();
  return holder.pid;
}

/** The program, where the machine lets programs be executed; `/run` is often no such place. @throws Unsupported */
function holdingFile(root: string): string {
  const path = join(root, NAME);
  const program = holdingProgram();
  if (program === undefined) throw new Unsupported(`processes cannot be shared on ${process.arch}`);
  if (!existsSync(path) || !readFileSync(path).equals(program)) {
    rmSync(path, { force: true });
    writeFileSync(path, program, { flag: "wx" });
    chmodSync(path, 0o755);
  }
  return path;
}

/** The file of the process namespace below a pod's mounts. */
export const processesPath = (directory: string): string => join(directory, "pid");

/** Whether a pod's process namespace can still be entered. */
export function areProcessesHeld(directory: string): boolean {
  return holderOf(directory) !== undefined;
}

/** Undefined when it has ended: another process may have its number. */
function holderOf(directory: string): number | undefined {
  try {
    const pid = Number(readFileSync(join(directory, "holder"), "utf8"));
    if (!(pid > 0)) return undefined;
    return namespaceId(namespacePath("pid", pid)) === namespaceId(processesPath(directory)) ? pid : undefined;
  } catch (error) {
    if (["ENOENT", "ESRCH"].includes(systemCode(error) ?? "")) return undefined;
    throw error;
  }
}

/**
 * Ends process namespaces of pods that are not known, those included that were never noted.
 *
 * @param mounts the directory of all pods' mounts
 * @param known ids of pods
 */
export function releaseStrayProcesses(mounts: string, known: ReadonlySet<string>): void {
  for (const pid of readdirSync("/proc")) {
    if (!/^\d+$/.test(pid)) continue;
    try {
      const [name, directory = ""] = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
      if (name !== NAME || dirname(directory) !== mounts || known.has(basename(directory))) continue;
      process.kill(Number(pid), "SIGKILL");
    } catch (error) {
      // It has ended meanwhile.
      if (!["ENOENT", "ESRCH"].includes(systemCode(error) ?? "")) throw error;
    }
  }
}

/** Whether a pod of this instance ever had one. */
export const hasHeldProcesses = (root: string): boolean => existsSync(join(root, NAME));

/** Ends a pod's process namespace with everything in it. Idempotent. */
export function releaseProcesses(directory: string): void {
  const pid = holderOf(directory);
  if (pid !== undefined) process.kill(pid, "SIGKILL");
  const path = processesPath(directory);
  if (existsSync(path)) unbindNamespace(path);
  rmSync(join(directory, "holder"), { force: true });
}
