import { chmodSync, existsSync, lstatSync, mkdirSync, openSync } from "node:fs";
import { dirname, join } from "node:path";
import { FailedPrecondition, Internal, type Logger, Unsupported } from "@boxship/base";
import { daemonCommand } from "@boxship/base/entry";
import { Fd, spawnProcess, tryLockFile } from "@boxship/kernel";
import type { DaemonOptions } from "../options.ts";
import { claimDelegation, type DelegationOptions, enterEngineGroup, rejoinDelegation } from "./delegation.ts";
import { namespacesOf, startHolder, startHolderIn, survivorsIn } from "./holder.ts";
import { checkTunDevice, connectOutside, outsidePrograms } from "./outside-network.ts";
import { requireProgram } from "./programs.ts";
import { endRootlessProcesses, type RootlessState, readRootlessState, writeRootlessState } from "./rootless-state.ts";
import { endRunning, type RunningProcess, runningProcess, stillRuns } from "./running-process.ts";
import { currentUser } from "./subordinate-ids.ts";

/**
 * The start of an instance without root, on the machine's side: finds or makes the namespaces and the processes that
 * belong to them, and becomes the daemon inside.
 *
 *     holder     (user, mount, net, cgroup)  a sleep that keeps the namespaces
 *     pasta      connects the network namespace with the outside
 *     forwarder  (user, mount)               listens on the machine's side for published ports, connects inside
 *     daemon     (user, mount, net, cgroup)  the same program that root runs
 *
 * The cgroup namespace is there only where the user was given control groups, see `delegation.ts`.
 *
 * @throws FailedPrecondition naming what this machine lacks, and what to do
 */
export async function launchRootless(options: DaemonOptions, argv: readonly string[], logger: Logger): Promise<never> {
  const nsenter = requireProgram("nsenter", "util-linux");
  if (options.group !== undefined) {
    throw new Unsupported("a group cannot be given the socket of an engine without root", {
      remedy: "leave --group out; the socket is the user's own",
    });
  }
  makePrivateDirectory(options.runDir);
  mkdirSync(options.root, { recursive: true, mode: 0o711 });
  const lock = tryLockFile(join(options.runDir, "rootless.lock"));
  if (lock === undefined) {
    throw new FailedPrecondition(`another daemon is using ${options.runDir}`, {
      subject: { kind: "instance", name: options.name },
      remedy: "wait until it has started",
    });
  }
  const { holder, cgroup } = await preparedState(options, logger, nsenter);
  const namespaces = ["--user", "--mount", "--net", ...(cgroup === undefined ? [] : ["--cgroup"])];
  const daemon = [...daemonCommand(), ...argv, "--inside-rootless", ...directoryFlags(options)];
  return replaceBy(nsenter, [...namespaces, `--target=${holder.pid}`, "--wd=/", "--", ...daemon]);
}

/** The environment inside is the user's, but the defaults there would be root's. */
function directoryFlags({ root, runDir }: DaemonOptions): readonly string[] {
  return ["--root", root, "--run-dir", runDir];
}

function replaceBy(file: string, args: readonly string[]): never {
  if (process.execve === undefined) throw new Internal("this platform cannot replace a process");
  return process.execve(file, [file, ...args], process.env);
}

/** What an earlier start left is used again as far as it still runs. */
async function preparedState(options: DaemonOptions, logger: Logger, nsenter: string): Promise<RootlessState> {
  const { runDir, rootlessNetwork, name } = options;
  const programs = outsidePrograms(rootlessNetwork);
  if (programs.length > 0) checkTunDevice();
  const known = readRootlessState(runDir);
  const kept = known === undefined ? undefined : await keptNamespaces(known, { name, logger });
  if (known !== undefined && kept === undefined) endRootlessProcesses(known);
  let state: RootlessState = kept ?? (await newNamespaces({ name, logger }));
  try {
    // Written after each step: whatever is cut short, the next start and a reset find every process.
    await writeRootlessState(runDir, state);
    if (!stillRuns(state.outside?.process)) {
      const outside = await connectOutside(programs, state.holder, runDir, logger);
      const { outside: _ended, ...rest } = state;
      state = { ...rest, ...(outside && { outside }) };
      await writeRootlessState(runDir, state);
    }
    if (!stillRuns(state.ports)) {
      state = { ...state, ports: startForwarder(nsenter, state.holder, runDir) };
      await writeRootlessState(runDir, state);
    }
    return state;
  } catch (error) {
    if (kept === undefined) endRootlessProcesses(state);
    throw error;
  }
}

/** What an earlier start made, with another holder where that was killed and containers keep the namespaces. */
async function keptNamespaces(known: RootlessState, options: DelegationOptions): Promise<RootlessState | undefined> {
  const { holder, namespaces, cgroup } = known;
  const holds = stillRuns(holder);
  const survivors = holds || namespaces === undefined ? undefined : survivorsIn(namespaces);
  if (!holds && survivors === undefined) return undefined;
  if (cgroup !== undefined) await rejoinDelegation(cgroup, options);
  if (survivors === undefined) return known;
  options.logger.warn("the process that held the namespaces is gone; another takes its place");
  return { ...known, holder: await startHolderIn(survivors, { cgroup: cgroup !== undefined }) };
}

/** The root of a cgroup namespace is where its first process was; so that is moved on afterwards. */
async function newNamespaces(options: DelegationOptions): Promise<RootlessState> {
  const cgroup = await claimDelegation(options);
  const holder = await startHolder(currentUser(), { cgroup: cgroup !== undefined });
  const namespaces = namespacesOf(holder.pid);
  const state = { holder, ...(namespaces && { namespaces }) };
  if (cgroup === undefined) return state;
  try {
    await enterEngineGroup(cgroup, [holder.pid, process.pid]);
  } catch (error) {
    endRunning(holder);
    throw error;
  }
  return { ...state, cgroup };
}

/** Stays in the machine's network namespace; what it needs inside it enters on a thread. */
function startForwarder(nsenter: string, holder: RunningProcess, runDir: string): RunningProcess {
  const log = openSync(join(runDir, "ports.log"), "a", 0o600);
  using output = new Fd(log);
  const child = spawnProcess({
    file: nsenter,
    args: [
      "--user",
      "--mount",
      `--target=${holder.pid}`,
      "--wd=/",
      "--",
      ...daemonCommand(),
      "--forward-ports",
      runDir,
      String(holder.pid),
    ],
    stdio: { 1: output, 2: output },
    cwd: "/",
    setsid: true,
  });
  child.unref();
  const running = runningProcess(child.pid);
  if (running === undefined)
    throw new Internal(`the forwarder of published ports ended at once; see ${runDir}/ports.log`);
  return running;
}

/** A directory that only this user may look into; in `/tmp` somebody else may have made one of that name before. */
export function makePrivateDirectory(path: string): void {
  const uid = process.geteuid?.() ?? 0;
  const parent = dirname(path);
  if (!existsSync(parent)) mkdirSync(parent, { recursive: true, mode: 0o700 });
  if (parent.startsWith("/tmp/")) requireOwn(parent, uid);
  mkdirSync(path, { recursive: true, mode: 0o700 });
  requireOwn(path, uid);
  chmodSync(path, 0o700);
}

function requireOwn(path: string, uid: number): void {
  const status = lstatSync(path);
  if (status.isDirectory() && status.uid === uid && (status.mode & 0o022) === 0) return;
  throw new FailedPrecondition(`${path} is not a directory of this user alone`, {
    subject: { kind: "directory", name: path },
    remedy: "remove it, or set XDG_RUNTIME_DIR to a directory of your own",
  });
}
